"""Private parts of foreign packages that the product uses: each is known, pinned, and proven to exist."""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.aio.transport import TcpTransport
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[3]
PRODUCT = ("shared/src", "services", "deploy/local/src")
USED = {
    "shared/src/shared/bus/connection.py": {"_send_unsubscribe", "_id", "_transport", "_io_writer"},
    "services/browser-worker/src/browser_worker/adapters/browser/driver_process.py": {
        "playwright._impl._driver", "playwright._impl.connection", "playwright._impl.transport",
        "_on_event_listener_error",
    },
}  # fmt: skip
"""File → private names. Whoever adds one here pins the package below and proves here, or beside it, that it exists."""
PINNED = ("nats-py", "playwright")


def test_no_other_private_part_of_a_foreign_package_is_used() -> None:
    found = {str(path.relative_to(ROOT)): names for path in files() if (names := set(private_names(path)))}
    assert found == USED


def test_packages_whose_private_parts_are_used_are_pinned_to_a_minor_version() -> None:
    for member in (ROOT / "shared", ROOT / "deploy/local", *sorted((ROOT / "services").iterdir())):
        needs = tomllib.loads((member / "pyproject.toml").read_text())["project"]["dependencies"]
        for need in map(Requirement, needs):
            if need.name in PINNED:
                floor = Version(next(each.version for each in need.specifier if each.operator in (">=", "~=")))
                assert not need.specifier.contains(f"{floor.major}.{floor.minor + 1}.0"), f"{member.name}: {need}"


async def test_the_private_parts_of_nats_py_exist(nats_url: str) -> None:
    client = await nats.connect(nats_url)
    try:
        subscription = await client.subscribe("private.parts")
        assert isinstance(subscription._id, int)
        assert inspect.iscoroutinefunction(Client._send_unsubscribe)
        assert next(iter(inspect.signature(client._send_unsubscribe).parameters)) == "sid"
        assert isinstance(client._transport, TcpTransport)
        assert client._transport._io_writer is not None
        assert callable(client._transport._io_writer.transport.abort)
    finally:
        await client.close()


def test_the_private_parts_of_playwright_exist() -> None:
    from playwright._impl._driver import compute_driver_executable, get_driver_env
    from playwright._impl.connection import Connection
    from playwright._impl.transport import PipeTransport

    assert all(map(callable, (compute_driver_executable, get_driver_env, Connection, PipeTransport)))
    assert callable(Connection._on_event_listener_error)


def files() -> Iterator[Path]:
    for folder in PRODUCT:
        yield from (ROOT / folder).rglob("*.py")


def private_names(path: Path) -> Iterator[str]:
    """Attributes such as `other._name`, also by getattr and setattr, and modules such as `package._module`.

    Attributes of self, cls, super() and of the module's own classes are ours; `os._exit` is documented.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner)) if owner in ("self", "cls", *own):
                pass
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super"))):
                pass
            case ast.Attribute(value=ast.Name(id="os"), attr="_exit"):
                pass
            case ast.Attribute(attr=name) if is_private(name):
                yield name
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]
            ):
                if is_private(name):
                    yield name
            case ast.ImportFrom(module=str(module), level=0) if any(map(is_private, module.split("."))):
                yield module
            case ast.ImportFrom(module=str(module), level=0, names=names):
                yield from (f"{module}.{alias.name}" for alias in names if is_private(alias.name))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
