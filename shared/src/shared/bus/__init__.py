"""Messages between the services over NATS; see `bus.Bus`."""

from shared.contracts.errors import Conflict, Unavailable

from .buckets import Bucket, Entry, UnverifiedValue
from .bus import Bus, create_streams
from .lease import Lease, Outcome
from .options import BusOptions
from .requests import Call
from .transport import Subscription

__all__ = [
    "Bucket", "Bus", "BusOptions", "Call", "Conflict", "Entry", "Lease", "Outcome", "Subscription",
    "Unavailable", "UnverifiedValue", "create_streams",
]  # fmt: skip
