"""The table of the services: complete, true to the services' settings, and safe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr

from persistent_session.data_folder import DataFolder
from persistent_session.services.bus_users import BUS_USERS, MONITOR, SETUP
from persistent_session.services.description import Service
from persistent_session.services.settings_classes import settings_class
from persistent_session.services.table import NKEY_SEEDS, SECRETS, SERVICES, TABLE
from persistent_session.settings import DEFAULT_BACKUP_SESSION_PATH, DEFAULT_CLIENT_ID, DEFAULT_SESSION_PATH
from persistent_session.settings import read_settings as read_stack_settings
from persistent_session.stack.keys import Keys, open_keys
from persistent_session.stack.plan import MARK, ProcessSpec, Programs, chosen_ports, plan
from shared.runtime import ServiceSettings
from shared.runtime.settings import RAILWAY_VARIABLES, read_settings

ROOT = Path(__file__).resolve().parents[3]
PORTS = {name: 20_000 + number for number, name in enumerate(chosen_ports(demo=True))}
PROGRAMS = Programs(nats_server="/n", weed="/w", browser="/b", wa_js="/j", python="/python")
BY_SUPERVISOR = {MARK, "DATA_DIR", "TMPDIR", "PYTHONUNBUFFERED"}
"""What the supervisor gives every process for itself."""

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return open_keys(DataFolder(tmp_path_factory.mktemp("data")))


def planned(keys: Keys, environ: Mapping[str, str] | None = None) -> dict[str, ProcessSpec]:
    given = {"DATA_DIR": str(keys.data.path), **(environ or {})}
    settings = read_stack_settings(given, demo=True, here=Path("/h"))
    specs = plan(settings, ports=PORTS, keys=keys, programs=PROGRAMS, environ=given)
    return {spec.name: spec for spec in specs}


def variables(settings: type[ServiceSettings]) -> set[str]:
    """The environment variables that a settings class reads, without those of secrets' files."""
    names: set[str] = set()
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        names |= (
            {str(choice).upper() for choice in alias.choices} if isinstance(alias, AliasChoices) else {name.upper()}
        )
    return names


def secret_variables(settings: type[ServiceSettings]) -> set[str]:
    return {name.upper() for name, field in settings.model_fields.items() if field.annotation is SecretStr}


def test_each_service_on_disk_has_a_row_and_each_row_a_service() -> None:
    on_disk = {path.parent.name for path in ROOT.glob("services/*/src/*/__main__.py")}
    assert len(on_disk) == 4
    assert {service.command for service in SERVICES} == {("python", "-m", module) for module in on_disk}
    assert {service.settings_module for service in SERVICES} == {f"{module}.settings" for module in on_disk}


def test_the_document_and_the_plan_show_each_row(keys: Keys) -> None:
    assert list(planned(keys)) == [service.name for service in TABLE]
    document = (ROOT / "docs" / "services.md").read_text()
    assert all(f"\n## {service.name}\n" in document for service in TABLE)


def test_each_service_and_the_set_up_are_users_of_the_bus_with_their_own_permissions() -> None:
    others = {user: BUS_USERS[user] for user in (SETUP, MONITOR)}
    assert {service.name: service.permissions for service in SERVICES} | others == BUS_USERS
    assert all(service.permissions is None for service in TABLE if service not in SERVICES)


def test_a_name_means_one_port_and_what_refers_to_a_port_finds_it() -> None:
    ports = [port.name for service in TABLE for port in service.ports]
    assert len(ports) == len(set(ports))
    for service in TABLE:
        own = {port.name for port in service.ports}
        assert service.health.port in own
        assert all(connection.port in set(ports) - own for connection in service.connections)


def test_no_port_is_without_a_key() -> None:
    open_ports = {port.name for service in TABLE for port in service.ports if not port.keys}
    assert open_ports == set(), "name the key of a new port in the table, and guard the port with it"


@pytest.mark.parametrize("service", TABLE, ids=lambda service: service.name)
def test_a_process_receives_the_keys_of_its_ports(service: Service) -> None:
    """NATS alone knows of its clients' keys no more than what proves them."""
    received = {use.secret for use in service.secret_uses}
    needed = {key for port in service.ports for key in port.keys} - set(NKEY_SEEDS.values())
    assert needed <= received


def test_each_secret_has_exactly_these_readers() -> None:
    readers = {
        secret.name: {service.name for service in TABLE if secret in [use.secret for use in service.secret_uses]}
        for secret in SECRETS
    }
    assert readers == {
        "api-key": {"gateway"},
        "cookie-secret": {"gateway"},
        "metrics-token": {service.name for service in SERVICES},
        "standin-key": {"stand-in"},
        "master-key": {"backup"},
        "master-key-previous": {"backup"},
        "s3-access-key": {"backup", "s3"},
        "s3-secret-key": {"backup", "s3"},
        "s3-tls": {"backup", "s3"},
        "nats-store-key": {"nats"},
        "nkey-gateway": {"gateway"},
        "nkey-browser-worker": {"browser-worker"},
        "nkey-backup": {"backup"},
        "nkey-health": {"health"},
        "nkey-monitor": {"health"},
        "nkey-setup": set(),
    }


@each_service
def test_the_secrets_of_a_row_are_the_secrets_of_the_settings(service: Service) -> None:
    by_value = {use.variable for use in service.secret_uses if not use.by_path}
    assert by_value == secret_variables(settings_class(service))
    assert {use.variable for use in service.secret_uses if use.by_path} <= variables(settings_class(service))


@each_service
def test_a_service_reads_every_variable_of_its_row(service: Service) -> None:
    settings = settings_class(service)
    readable = variables(settings) | {f"{name}_FILE" for name in secret_variables(settings)}
    assert service.variables - readable == set()


@each_service
def test_a_service_reads_every_variable_that_the_plan_gives_it(keys: Keys, service: Service) -> None:
    settings = settings_class(service)
    readable = variables(settings) | {f"{name}_FILE" for name in secret_variables(settings)}
    assert set(planned(keys)[service.name].env) - BY_SUPERVISOR - readable == set()


@each_service
def test_a_service_accepts_the_environment_that_the_plan_gives_it(
    keys: Keys, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        for name in variables(settings_class(service)):
            patched.delenv(name, raising=False)
        for name, value in planned(keys)[service.name].env.items():
            patched.setenv(name, value)
        problems, settings = read_settings(settings_class(service))
    assert problems == []
    assert settings is not None
    assert settings.nats_url == f"nats://127.0.0.1:{PORTS['nats']}"
    assert settings.nats_nkey_seed.get_secret_value() == keys.data.key(f"nkey-{service.name}").read_text().strip()


@each_service
def test_the_launcher_and_the_services_have_the_same_defaults(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in RAILWAY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    expected = {
        "client_id": DEFAULT_CLIENT_ID,
        "session_path": Path(DEFAULT_SESSION_PATH),
        "backup_session_path": Path(DEFAULT_BACKUP_SESSION_PATH),
    }
    for name, field in settings_class(service).model_fields.items():
        if name in expected:
            default = field.get_default(call_default_factory=True, validated_data={})
            assert type(expected[name])(default) == expected[name], name


def test_only_a_public_port_listens_beyond_this_machine(keys: Keys) -> None:
    assert [service.name for service in TABLE if service.public] == ["gateway"]
    everywhere = {"GATEWAY_HOST": "0.0.0.0", "HTTP_HOST": "0.0.0.0", "NATS_URL": "nats://0.0.0.0:1"}
    found = planned(keys, everywhere)
    told = {name: [*spec.argv, *(f"{key}={value}" for key, value in spec.env.items())] for name, spec in found.items()}
    assert {name: [text for text in texts if "0.0.0.0" in text] for name, texts in told.items()} == {
        **{name: [] for name in found},
        "gateway": ["GATEWAY_HOST=0.0.0.0"],
    }


def test_the_object_store_has_no_memory_limit_that_would_keep_its_garbage_collector_running(keys: Keys) -> None:
    env = planned(keys, {"GOMEMLIMIT": "192MiB", "GOGC": "1"})["s3"].env
    assert "GOMEMLIMIT" not in env
    assert env["GOGC"] == "50"
