"""Real servers, faults on demand and fakes for the tests of every service."""

from .eventually import eventually, eventually_sync
from .nats_server import NatsServer
from .ports import free_port, free_ports
from .s3_server import S3Server

__all__ = ["NatsServer", "S3Server", "eventually", "eventually_sync", "free_port", "free_ports"]
