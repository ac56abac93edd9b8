"""The plan: what each process receives. No user would notice a secret in the wrong environment."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from persistent_session.data_folder import DataFolder
from persistent_session.services import secrets
from persistent_session.services.bus_users import MONITOR, SETUP
from persistent_session.services.description import Secret
from persistent_session.services.table import NKEY_SEEDS
from persistent_session.settings import StackSettings, read_settings
from persistent_session.stack.keys import Keys, open_keys
from persistent_session.stack.plan import ProcessSpec, Programs, chosen_ports, plan, web_url
from persistent_session.stack.readiness import AnswersHttp
from persistent_session.stack.supervisor import STOP_SECONDS

PORT_OF = {name: 20_000 + number for number, name in enumerate(chosen_ports(demo=True))}
PROGRAMS = Programs(nats_server="/n", weed="/w", browser="/b", wa_js="/j", python="/python")
OWN_KEY = "a-key-of-the-users-own-of-forty-characters"
SERVICES = ("backup", "health", "browser-worker", "gateway")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return open_keys(DataFolder(tmp_path_factory.mktemp("keys")))


def _plan(keys: Keys, environ: Mapping[str, str] | None = None, *, demo: bool = False) -> dict[str, ProcessSpec]:
    given = dict(environ or {})
    settings = _settings(given, demo=demo)
    found = plan(settings, ports=PORT_OF, keys=keys, programs=PROGRAMS, environ=given)
    return {process.name: process for process in found}


def _settings(environ: Mapping[str, str], *, demo: bool = False) -> StackSettings:
    return read_settings({"DATA_DIR": "/d", **environ}, demo=demo, here=Path("/h"))


def _whole_text(process: ProcessSpec, keys: Keys) -> str:
    """Everything a process is told, with the files that it is pointed to."""
    told = [*process.argv, *process.env.values()]
    files = [Path(text).read_text() for text in told if text.startswith(str(keys.data.keys))]
    return "\n".join([*told, *files])


def test_what_others_need_starts_first_and_so_stops_last(keys: Keys) -> None:
    assert list(_plan(keys)) == ["nats", "s3", "backup", "health", "browser-worker", "gateway"]
    demo = _plan(keys, demo=True)
    assert list(demo) == ["stand-in", "nats", "s3", "backup", "health", "browser-worker", "gateway"]
    stages = [process.stage for process in demo.values()]
    assert stages == sorted(stages)
    assert {demo[name].stage for name in SERVICES} == {1}


def test_a_worst_case_stop_fits_into_the_time_for_all(keys: Keys) -> None:
    before_servers = ["gateway", "browser-worker", "health", "backup"]
    found = _plan(keys, demo=True)
    assert sum(found[name].stop_seconds for name in before_servers) <= STOP_SECONDS - 2.0
    assert found["browser-worker"].stop_seconds >= 12.0


@pytest.mark.parametrize(
    ("secret", "holders"),
    [
        (secrets.MASTER_KEY, {"backup"}),
        (secrets.S3_SECRET_KEY, {"backup", "s3"}),
        (secrets.S3_ACCESS_KEY, {"backup", "s3"}),
        (secrets.S3_TLS, {"backup", "s3"}),
        (secrets.NATS_STORE_KEY, {"nats"}),
        (secrets.API_KEY, {"gateway"}),
        (secrets.COOKIE_SECRET, {"gateway"}),
        (secrets.METRICS_TOKEN, set(SERVICES)),
        (secrets.STANDIN_KEY, {"stand-in"}),
        *((NKEY_SEEDS[name], {name}) for name in SERVICES),
        (NKEY_SEEDS[SETUP], set()),
        (NKEY_SEEDS[MONITOR], {"health"}),
    ],
)
def test_each_secret_reaches_only_who_needs_it(keys: Keys, secret: Secret, holders: set[str]) -> None:
    value = keys.read(secret)
    found = {name for name, process in _plan(keys, demo=True).items() if value in _whole_text(process, keys)}
    assert found == holders


def test_no_secret_is_on_a_command_line_where_every_user_could_read_it(keys: Keys) -> None:
    lines = "\n".join(" ".join(process.argv) for process in _plan(keys, {"API_KEY": OWN_KEY}, demo=True).values())
    assert OWN_KEY not in lines
    for path in keys.data.keys.iterdir():
        assert path.read_text().strip() not in lines


def test_a_plan_never_shows_an_environment_when_it_is_printed(keys: Keys) -> None:
    assert keys.read(secrets.S3_SECRET_KEY) not in repr(_plan(keys))


def test_keys_of_the_users_shell_reach_nobody(keys: Keys) -> None:
    names = (
        "AWS_SECRET_ACCESS_KEY",
        "S3_SECRET_ACCESS_KEY",
        "NATS_URL",
        "NATS_NKEY_SEED",
        "MASTER_KEY",
        "COOKIE_SECRET_FILE",
    )
    environ = dict.fromkeys(names, "of-my-shell")
    for process in _plan(keys, environ, demo=True).values():
        assert "of-my-shell" not in process.env.values()


def test_a_store_of_the_users_own_is_used_by_the_backup_service_alone_and_none_is_started(keys: Keys) -> None:
    environ = {
        "S3_ENDPOINT": "https://store",
        "S3_BUCKET": "mine",
        "S3_ACCESS_KEY_ID": "who",
        "S3_SECRET_ACCESS_KEY_FILE": "/s",
    }
    found = _plan(keys, environ)
    assert "s3" not in found
    assert environ.items() <= found["backup"].env.items()
    assert {name for name, process in found.items() if "/s" in process.env.values()} == {"backup"}
    assert str(keys.path(secrets.S3_SECRET_KEY)) not in found["backup"].env.values()


def test_a_demo_never_writes_into_the_users_own_store(keys: Keys) -> None:
    found = _plan(keys, {"S3_ENDPOINT": "https://store", "S3_BUCKET": "mine"}, demo=True)
    assert "s3" in found
    assert found["backup"].env["S3_ENDPOINT"].startswith("https://127.0.0.1:")
    assert found["backup"].env["S3_BUCKET"] != "mine"


def test_every_mission_setting_reaches_the_services_unchanged(keys: Keys) -> None:
    environ = {
        "MAX_SESSION_SIZE_MB": "99",
        "PUPPETEER_TIMEOUT_MS": "1",
        "BACKUP_INTERVAL_MS": "2",
        "LOG_LEVEL": "debug",
    }
    found = _plan(keys, environ)
    for name in SERVICES:
        assert environ.items() <= found[name].env.items()


def test_a_key_of_the_users_own_goes_to_the_gateway_and_nobody_else(keys: Keys) -> None:
    found = _plan(keys, {"API_KEY": OWN_KEY, "API_KEY_FILE": "/ignored"})
    assert found["gateway"].env["API_KEY"] == OWN_KEY
    assert "API_KEY_FILE" not in found["gateway"].env
    assert all(OWN_KEY not in process.env.values() for name, process in found.items() if name != "gateway")


def test_the_token_for_metrics_goes_to_every_service_and_no_server(keys: Keys) -> None:
    found = _plan(keys, {"METRICS_TOKEN": "scrape"}, demo=True)
    assert {name for name, process in found.items() if "scrape" in process.env.values()} == set(SERVICES)


@pytest.mark.parametrize("environ", [{}, {"METRICS_TOKEN": "scrape"}])
def test_the_supervisor_shows_a_service_the_token_that_the_service_has(keys: Keys, environ: dict[str, str]) -> None:
    token = environ.get("METRICS_TOKEN") or keys.read(secrets.METRICS_TOKEN)
    found = _plan(keys, environ)
    signs = {name: process.ready.sign for name, process in found.items()}
    shown = {name for name, sign in signs.items() if isinstance(sign, AnswersHttp) and sign.key == token}
    assert shown == {"backup", "health", "browser-worker"}
    assert signs["gateway"] == AnswersHttp(url="http://127.0.0.1:8080/health/ready")
    assert token not in repr(found)


def test_while_keys_are_changed_over_the_old_one_goes_to_the_backup_service_alone(keys: Keys) -> None:
    found = _plan(keys, {"MASTER_KEY_PREVIOUS_FILE": "/old/key"})
    assert {name for name, process in found.items() if "/old/key" in process.env.values()} == {"backup"}


def test_the_demo_links_with_the_stand_in_at_an_address_made_of_its_kept_port(keys: Keys) -> None:
    found = _plan(keys, {"WHATSAPP_WEB_URL": "https://web.whatsapp.com"}, demo=True)
    address = f"http://127.0.0.1:{PORT_OF['standin-web']}"
    assert found["browser-worker"].env["WHATSAPP_WEB_URL"] == address
    assert web_url(_settings({}, demo=True), PORT_OF) == address
    assert str(PORT_OF["standin-web"]) in found["stand-in"].argv


def test_every_port_of_the_s3_server_is_chosen_and_its_telemetry_is_off(keys: Keys) -> None:
    argv = _plan(keys)["s3"].argv
    assert "-master.telemetry=false" in argv
    assert "-ip.bind=127.0.0.1" in argv
    given = {flag.split("=")[0] for flag in argv if "port" in flag}
    assert {"-s3.port", "-master.port", "-volume.port", "-filer.port", "-admin.port"} <= given
    assert {f"{flag}.grpc" for flag in given if flag.endswith("r.port") or flag == "-s3.port"} <= given


def test_servers_die_at_once_with_the_supervisor_and_services_are_asked_to_stop(keys: Keys) -> None:
    found = _plan(keys, demo=True)
    assert {found[name].death_signal for name in ("nats", "s3")} == {signal.SIGKILL}
    assert {found[name].death_signal for name in SERVICES} == {signal.SIGTERM}
