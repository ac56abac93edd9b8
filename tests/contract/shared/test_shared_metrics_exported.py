"""Each metric of the registry is exported by its owner, and a service exports nothing else."""

from __future__ import annotations

import ast
import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from backup.bootstrap import build
from backup.settings import Settings
from browser_worker.adapters.worker_metrics import ServedWorkerMetrics
from gateway.bootstrap import Gateway
from gateway.settings import GatewaySettings
from health.bootstrap import HealthApp
from health.settings import HealthSettings
from shared.clock import SystemClock
from shared.contracts.metrics import REGISTRY, Owner
from shared.runtime import Metrics
from shared.testing import FakeBus

ROOT = Path(__file__).parents[3]
DEFINITIONS = ROOT / "shared/src/shared/contracts/metrics.py"
PROMETHEUS = ROOT / "shared/src/shared/runtime/metrics.py"


def gateway(metrics: Metrics) -> Metrics:
    return Gateway(GatewaySettings(api_key=SecretStr("0123456789abcdef" * 2)))._metrics


def browser_worker(metrics: Metrics) -> Metrics:
    ServedWorkerMetrics(metrics)
    return metrics


def backup(metrics: Metrics) -> Metrics:
    key = SecretStr(base64.b64encode(bytes(range(32))).decode())
    settings = Settings(
        s3_endpoint="http://127.0.0.1:1",
        s3_bucket="b",
        s3_access_key_id=SecretStr("a"),
        s3_secret_access_key=SecretStr("s"),
        master_key=key,
    )
    build(settings, FakeBus(), metrics, SystemClock())
    return metrics


def health(metrics: Metrics) -> Metrics:
    bus = FakeBus()
    HealthApp(HealthSettings(), bus, SystemClock(), metrics)
    return metrics


SERVICES: dict[Owner, Callable[[Metrics], Metrics]] = {
    Owner.GATEWAY: gateway,
    Owner.BROWSER_WORKER: browser_worker,
    Owner.BACKUP: backup,
    Owner.HEALTH: health,
}


@pytest.mark.parametrize("owner", SERVICES)
async def test_a_service_exports_the_metrics_that_it_owns_and_no_others(owner: Owner) -> None:
    metrics = SERVICES[owner](Metrics())
    every = {metric.family for metric in REGISTRY.owned_by(Owner.EVERY_SERVICE)}
    if not every & metrics.families():
        metrics.watch_bus(FakeBus())
    exported = {name for name in metrics.families() if name.startswith("wa_")}
    assert exported == {metric.family for metric in REGISTRY.owned_by(owner)} | every


def test_every_owner_is_a_service_that_this_file_starts() -> None:
    assert set(SERVICES) == set(Owner) - {Owner.EVERY_SERVICE}


def test_the_name_of_a_metric_is_spelled_in_the_registry_alone() -> None:
    areas = "|".join({metric.name.split("_")[1] for metric in REGISTRY})
    name = re.compile(rf"\bwa_({areas})(_[a-z]+)+")
    spelled = [f"{path}: {text}" for path, text in product_texts() if path != DEFINITIONS and name.search(text)]
    assert spelled == []
    assert sum(bool(name.search(text)) for path, text in product_texts() if path == DEFINITIONS) >= len(list(REGISTRY))


def test_one_module_imports_prometheus() -> None:
    importers = [path for path in product_files() if "prometheus_client" in imports_of(path)]
    assert importers == [PROMETHEUS]


def product_files() -> Iterator[Path]:
    for folder in ("shared/src", "services", "deploy/local/src"):
        yield from (ROOT / folder).rglob("*.py")


def product_texts() -> Iterator[tuple[Path, str]]:
    for path in product_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.value


def imports_of(path: Path) -> set[str]:
    """The distributions that a module imports, without their submodules."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found
