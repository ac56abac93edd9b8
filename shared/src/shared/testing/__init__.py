"""Real servers, faults on demand and fakes for the tests of every service."""

from .eventually import eventually, eventually_sync
from .fake_bus import FakeBus, MemoryHub
from .fake_clock import FakeClock
from .fault_proxy import FaultProxy
from .identities import EveryUser, bus_environment, options_for_tests
from .memory_bucket import BucketData, MemoryBucket
from .nats_server import NatsServer
from .ports import free_port, free_ports
from .s3_server import S3Server

__all__ = [
    "BucketData", "EveryUser", "FakeBus", "FakeClock", "FaultProxy", "MemoryBucket", "MemoryHub", "NatsServer",
    "S3Server", "bus_environment", "eventually", "eventually_sync", "free_port", "free_ports", "options_for_tests",
]  # fmt: skip
