"""The table itself: every process of the system, those that others need first.

A new service is one row here; the local supervisor, its keys and ports, and the documents follow.
"""

from __future__ import annotations

import signal

from persistent_session.services import bus_users
from persistent_session.services.description import (
    Connection,
    Greeting,
    HealthAddress,
    HttpAnswer,
    Port,
    Secret,
    SecretUse,
    Service,
    Volume,
)
from persistent_session.services.secrets import (
    API_KEY,
    COOKIE_SECRET,
    MASTER_KEY,
    METRICS_TOKEN,
    NATS_STORE_KEY,
    PREVIOUS_MASTER_KEY,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    S3_TLS,
    STANDIN_KEY,
)

S3_BUCKET = "persistent-session"
NKEY_SEEDS = {
    user: Secret(name=f"nkey-{user}", meaning=f"proves the user {user} of NATS") for user in bus_users.BUS_USERS
}
"""By user of NATS."""

STANDIN_SERVICE = Service(
    name="stand-in",
    meaning="a local WhatsApp Web with a virtual phone; only the demo starts it",
    command=("python", "-m", "standin"),
    ports=(
        Port(
            name="standin-web",
            meaning="the site that is driven, open as a site is, and the virtual phone's page, which wants the key",
            keys=(STANDIN_KEY,),
        ),
        Port(name="standin-control", meaning="the virtual phone's control API", keys=(STANDIN_KEY,)),
    ),
    health=HealthAddress(port="standin-control", sign=HttpAnswer(path="/health", key=STANDIN_KEY), seconds=20),
    secrets=(SecretUse(secret=STANDIN_KEY, variable="STANDIN_KEY"),),
    volumes=(Volume(name="standin", meaning="linked devices and messages"),),
    stage=0,
    stop_seconds=0.8,
)

NATS_SERVICE = Service(
    name="nats",
    meaning="the bus between the services: requests, buckets and the stream of events (nats-server)",
    command=("nats-server",),
    ports=(Port(name="nats", meaning="clients", keys=tuple(NKEY_SEEDS.values())),),
    # A server greets its clients once the store has been read. The monitoring port, which would answer as well, answers
    # everybody who reaches it, web pages included, so it is never opened.
    health=HealthAddress(port="nats", sign=Greeting(text="INFO "), seconds=15),
    secrets=(SecretUse(secret=NATS_STORE_KEY, variable="NATS_STORE_KEY", from_file=False),),
    volumes=(Volume(name="nats", meaning="buckets and the stream of events, encrypted"),),
    stage=0,
    stop_seconds=1.0,
    death_signal=signal.SIGKILL,
)

S3_SERVICE = Service(
    name="s3",
    meaning="the object store (SeaweedFS); not started where S3_ENDPOINT names another",
    command=("weed", "-logtostderr=true", "mini"),
    ports=(
        Port(name="s3", meaning="S3, which asks for a signature as well", keys=(S3_TLS,)),
        Port(name="s3-grpc", meaning="gRPC of S3", keys=(S3_TLS,)),
        Port(name="s3-master", meaning="master", keys=(S3_TLS,)),
        Port(name="s3-master-grpc", meaning="gRPC of the master", keys=(S3_TLS,)),
        Port(name="s3-volume", meaning="volume server", keys=(S3_TLS,)),
        Port(name="s3-volume-grpc", meaning="gRPC of the volume server", keys=(S3_TLS,)),
        Port(name="s3-filer", meaning="filer", keys=(S3_TLS,)),
        Port(name="s3-filer-grpc", meaning="gRPC of the filer", keys=(S3_TLS,)),
        Port(name="s3-admin", meaning="administration", keys=(S3_TLS,)),
    ),
    # S3 is what starts last. It answers 400 to whoever speaks no TLS, so the health address needs no key.
    health=HealthAddress(port="s3", sign=HttpAnswer(path="/", status=400), seconds=30),
    # GOGC=50 halves what Go's heap may grow between collections. A limit (GOMEMLIMIT) below what the server needs at
    # rest keeps the collector running: 192MiB took 10.4 % of a core at rest, no limit takes 0.5 %
    # (`python tests/bench/resting_cpu.py`).
    environment={"GOGC": "50"},
    secrets=(
        SecretUse(secret=S3_ACCESS_KEY, variable="AWS_ACCESS_KEY_ID", from_file=False),
        SecretUse(secret=S3_SECRET_KEY, variable="AWS_SECRET_ACCESS_KEY", from_file=False),
        SecretUse(secret=S3_TLS, variable="", by_path=True),
    ),
    volumes=(Volume(name="s3", meaning="backups, encrypted"),),
    stage=0,
    stop_seconds=2.5,
    death_signal=signal.SIGKILL,
)


def _nats_connection(user: str) -> Connection:
    seed = SecretUse(secret=NKEY_SEEDS[user], variable="NATS_NKEY_SEED")
    return Connection(port="nats", variable="NATS_URL", scheme="nats", secrets=(seed,))


def _ops_port(name: str) -> Port:
    return Port(
        name=name,
        meaning="health and metrics",
        variable="HTTP_PORT",
        host_variable="HTTP_HOST",
        keys=(METRICS_TOKEN,),
    )


def _ops_health(port: str) -> HealthAddress:
    """A service is ready later than its ports, because it waits for the bus; so a late one is only reported."""
    return HealthAddress(
        port=port, sign=HttpAnswer(path="/health/ready", key=METRICS_TOKEN), seconds=15, required=False
    )


_METRICS_TOKEN_USE = SecretUse(secret=METRICS_TOKEN, variable="METRICS_TOKEN")


BACKUP_SERVICE = Service(
    name="backup",
    meaning="encrypted backups in the object store",
    command=("python", "-m", "backup"),
    settings_module="backup.settings",
    ports=(_ops_port("backup-http"),),
    health=_ops_health("backup-http"),
    deployment_settings=("BUS_KEYS",),
    connections=(
        _nats_connection("backup"),
        Connection(
            port="s3",
            variable="S3_ENDPOINT",
            scheme="https",
            settings={"S3_BUCKET": S3_BUCKET, "S3_REGION": "us-east-1", "S3_ADDRESSING_STYLE": "path"},
            secrets=(
                SecretUse(secret=S3_ACCESS_KEY, variable="S3_ACCESS_KEY_ID"),
                SecretUse(secret=S3_SECRET_KEY, variable="S3_SECRET_ACCESS_KEY"),
                SecretUse(secret=S3_TLS, variable="S3_TLS_FILE", by_path=True),
            ),
            replaceable=True,
        ),
    ),
    secrets=(
        SecretUse(secret=MASTER_KEY, variable="MASTER_KEY"),
        SecretUse(secret=PREVIOUS_MASTER_KEY, variable="MASTER_KEY_PREVIOUS"),
        _METRICS_TOKEN_USE,
    ),
    permissions=bus_users.BUS_USERS[bus_users.BACKUP],
    stop_seconds=1.5,
)

HEALTH_SERVICE = Service(
    name="health",
    meaning="checks, verdict, recommendations",
    command=("python", "-m", "health"),
    settings_module="health.settings",
    ports=(_ops_port("health-http"),),
    health=_ops_health("health-http"),
    deployment_settings=("BUS_KEYS", "CLIENT_ID"),
    connections=(_nats_connection("health"), Connection(port="gateway", variable="GATEWAY_URL")),
    secrets=(
        SecretUse(secret=NKEY_SEEDS[bus_users.MONITOR], variable="NATS_MONITOR_NKEY_SEED"),
        _METRICS_TOKEN_USE,
    ),
    permissions=bus_users.BUS_USERS[bus_users.HEALTH],
    stop_seconds=1.0,
)

WORKER_SERVICE = Service(
    name="browser-worker",
    meaning="owns browsers, profiles and snapshots",
    command=("python", "-m", "browser_worker"),
    settings_module="browser_worker.settings",
    ports=(_ops_port("worker-http"),),
    health=_ops_health("worker-http"),
    deployment_settings=(
        "BUS_KEYS",
        "CLIENT_ID",
        "WHATSAPP_WEB_URL",
        "LEASE_POLICY",
        "BROWSER_EXECUTABLE",
        "WA_JS_PATH",
    ),
    connections=(_nats_connection("browser-worker"),),
    secrets=(_METRICS_TOKEN_USE,),
    volumes=(
        Volume(name="profiles", meaning="browser profiles; each holds a login", variable="SESSION_PATH"),
        Volume(name="saves", meaning="local saves; each holds a login", variable="BACKUP_SESSION_PATH"),
    ),
    permissions=bus_users.BUS_USERS[bus_users.WORKER],
    stop_seconds=13.0,
)

GATEWAY_SERVICE = Service(
    name="gateway",
    meaning="the only service that clients reach: REST, events, the page",
    command=("python", "-m", "gateway"),
    settings_module="gateway.settings",
    ports=(
        Port(
            name="gateway",
            meaning="REST, events and the page",
            variable="GATEWAY_PORT",
            host_variable="GATEWAY_HOST",
            keys=(API_KEY, METRICS_TOKEN),
            public=True,
        ),
        _ops_port("gateway-http"),
    ),
    health=HealthAddress(port="gateway", sign=HttpAnswer(path="/health/ready"), seconds=30),
    # The gateway only shows the two paths, until a worker reports the real ones.
    deployment_settings=("BUS_KEYS", "CLIENT_ID", "SESSION_PATH", "BACKUP_SESSION_PATH"),
    connections=(_nats_connection("gateway"),),
    secrets=(
        SecretUse(secret=API_KEY, variable="API_KEY"),
        SecretUse(secret=COOKIE_SECRET, variable="COOKIE_SECRET"),
        _METRICS_TOKEN_USE,
    ),
    permissions=bus_users.BUS_USERS[bus_users.GATEWAY],
    stop_seconds=1.5,
)

INFRASTRUCTURE = (NATS_SERVICE, S3_SERVICE)
"""Programs of other projects."""
SERVICES = (BACKUP_SERVICE, HEALTH_SERVICE, WORKER_SERVICE, GATEWAY_SERVICE)
"""Our own services. Each is a user of NATS under its own name."""
TABLE = (STANDIN_SERVICE, *INFRASTRUCTURE, *SERVICES)
"""Every process, in the order of the start; the stop goes the other way."""
SECRETS = (
    API_KEY,
    COOKIE_SECRET,
    METRICS_TOKEN,
    STANDIN_KEY,
    MASTER_KEY,
    PREVIOUS_MASTER_KEY,
    S3_ACCESS_KEY,
    S3_SECRET_KEY,
    S3_TLS,
    NATS_STORE_KEY,
    *NKEY_SEEDS.values(),
)
"""Every secret of the system."""
