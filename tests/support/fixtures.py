"""The types of the factories that tests/conftest.py gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nats.aio.client import Client

from deploy.databases import ServiceDatabase
from tests.support.processes import ServiceProcess

DatabaseFactory = Callable[[str], Awaitable[ServiceDatabase]]
LoginFactory = Callable[..., Awaitable[Client]]
EnvironmentFactory = Callable[..., Awaitable[dict[str, str]]]
ServiceFactory = Callable[..., Awaitable[ServiceProcess]]
