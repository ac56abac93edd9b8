"""Everything on disk that the processes need before they start: keys, ports, folders, the configuration of NATS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from persistent_session.errors import CliError, ExitCode
from persistent_session.services.table import NATS_SERVICE, STANDIN_SERVICE, TABLE
from persistent_session.settings import StackSettings
from persistent_session.stack import nats, ports, seaweed, temp_folder
from persistent_session.stack.keys import Keys, open_keys
from persistent_session.stack.plan import ProcessSpec, chosen_ports, plan, volume_path
from persistent_session.stack.private_file import write_private
from persistent_session.stack.programs import find_programs


@dataclass(frozen=True, kw_only=True)
class Prepared:
    keys: Keys
    ports: Mapping[str, int]
    """Numbers by name, the public port excepted."""
    specs: tuple[ProcessSpec, ...]


def prepare(settings: StackSettings, environ: Mapping[str, str], reservations: ports.Reservations) -> Prepared:
    """Raises CliError when a program, a port or a folder is missing."""
    _check_gateway_port(settings)
    programs = find_programs(environ)
    keys = open_keys(settings.data, given=settings.given)
    chosen = _choose_ports(settings, reservations)
    _make_folders(settings)
    temp_folder.make_empty(settings.data)
    _write_nats_config(settings, keys, chosen)
    specs = plan(settings, ports=chosen, keys=keys, programs=programs, environ=environ)
    return Prepared(keys=keys, ports=chosen, specs=specs)


def _check_gateway_port(settings: StackSettings) -> None:
    port, host = settings.gateway_port, settings.gateway_host
    if ports.is_free(port, host):
        return
    other = ports.next_free(port, host)
    raise CliError(
        f"GATEWAY_PORT {port} is taken{_by_holder(port)}",
        hint="stop that program, or choose another port" + (f", such as GATEWAY_PORT={other}" if other else ""),
        code=ExitCode.BUSY,
    )


def _by_holder(port: int) -> str:
    program = ports.holder(port)
    return f" by {program}" if program else ""


def _choose_ports(settings: StackSettings, reservations: ports.Reservations) -> dict[str, int]:
    earlier = ports.read(settings.data.ports)
    temp_folder.remove_dead_sockets(seaweed.sockets(earlier))
    chosen = ports.choose(chosen_ports(demo=settings.demo), earlier, reservations, avoid=(settings.gateway_port,))
    before = earlier.get("standin-web")
    if settings.demo and before and before != chosen["standin-web"]:
        raise CliError(
            f"port {before} of the demo's stand-in is taken{_by_holder(before)}",
            hint="stop that program: the demo's linked session belongs to this address "
            f"(to begin anew, delete {settings.data.path})",
            code=ExitCode.BUSY,
        )
    ports.write(settings.data.ports, chosen)
    return chosen


def _make_folders(settings: StackSettings) -> None:
    """Readable by their owner alone, because profiles and saves hold a login. An existing folder keeps its mode."""
    services = [service for service in TABLE if settings.demo or service is not STANDIN_SERVICE]
    volumes = [volume_path(settings, volume) for service in services for volume in service.volumes]
    for folder in (*volumes, settings.data.logs):
        _make_folder(folder)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise CliError(
            f"the folder {folder} cannot be made: {error.strerror}", hint="check who owns its parent"
        ) from None


def _write_nats_config(settings: StackSettings, keys: Keys, chosen: Mapping[str, int]) -> None:
    (volume,) = NATS_SERVICE.volumes
    (store_key,) = NATS_SERVICE.secrets
    text = nats.config(
        store=volume_path(settings, volume),
        ports=chosen,
        public_keys=keys.bus_public_keys(),
        key_variable=store_key.variable,
    )
    write_private(settings.data.nats_config, text)
