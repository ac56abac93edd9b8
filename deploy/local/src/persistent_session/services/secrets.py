"""The secrets of the system, one each. The table says which process receives which secret.

Each user of NATS has one more secret (`table.NKEY_SEEDS`).
"""

from __future__ import annotations

from persistent_session.services.description import Secret

API_KEY = Secret(name="api-key", meaning="the key that every client of the gateway must show")
COOKIE_SECRET = Secret(name="cookie-secret", meaning="signs the page's login")
METRICS_TOKEN = Secret(name="metrics-token", meaning="reads metrics and readiness of every service")
STANDIN_KEY = Secret(name="standin-key", meaning="acts as the owner of the demo's virtual phone")
MASTER_KEY = Secret(
    name="master-key", meaning="wraps the data key of each session; without it no backup can ever be read"
)
PREVIOUS_MASTER_KEY = Secret(
    name="master-key-previous", meaning="the master key before this one, while keys are rotated", generated=False
)
S3_ACCESS_KEY = Secret(name="s3-access-key", meaning="names the user of the object store")
S3_SECRET_KEY = Secret(name="s3-secret-key", meaning="proves the user of the object store")
NATS_STORE_KEY = Secret(
    name="nats-store-key", meaning="encrypts what NATS keeps on disk, where a QR code outlives its use by days"
)
S3_TLS = Secret(
    name="s3-tls",
    meaning="the one certificate, with its key, that opens any port of the local object store",
)
