"""What each service's process needs beside its work: settings, logs, metrics, supervised tasks, an ordered stop."""

from .logging import configure_logging, get_logger
from .metrics import Metrics
from .ops_server import OpsServer
from .service import run_service
from .settings import Milliseconds, Port, ServiceSettings, load_settings, on_railway
from .shutdown import Shutdown
from .tasks import Tasks

__all__ = [
    "Metrics", "Milliseconds", "OpsServer", "Port", "ServiceSettings", "Shutdown", "Tasks",
    "configure_logging", "get_logger", "load_settings", "on_railway", "run_service",
]  # fmt: skip
