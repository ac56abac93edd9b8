"""Run the backup service: `python -m backup`."""

from shared.runtime import configure_logging, load_settings, run_service

from .bootstrap import serve
from .settings import Settings

if __name__ == "__main__":
    settings = load_settings(Settings)
    configure_logging("backup", settings.log_level)
    run_service("backup", lambda shutdown: serve(settings, shutdown))
