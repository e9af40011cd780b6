"""Real PostgreSQL and nats-server from wheels, under our own supervision, on loopback."""

from deploy.embedded.nats import NatsServer
from deploy.embedded.postgres import PostgresServer

__all__ = ["NatsServer", "PostgresServer"]
