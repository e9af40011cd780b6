"""The fixtures every test takes its servers, databases, logins and processes from."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from nats.aio.client import Client

from deploy.databases import ServiceDatabase
from deploy.environment import service_environment
from tests.support.clients import connected
from tests.support.fixtures import (
    DatabaseFactory,
    EnvironmentFactory,
    LoginFactory,
    ServiceFactory,
)
from tests.support.processes import ServiceProcess
from tests.support.replies import held
from tests.support.scratch import scratch
from tests.support.servers import EmbeddedServers, Servers, make_servers
from tests.support.workers import check_workers, longest_first, worker_count

# How long an example takes says something of the machine, not of the code.
settings.register_profile("samenkracht", deadline=None, print_blob=True)
settings.load_profile("samenkracht")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Say how many workers `-n auto` starts; each has a session, and so servers, of its own."""
    return worker_count()


def pytest_configure(config: pytest.Config) -> None:
    """Refuse workers where there is nothing to give each its own."""
    check_workers(config.getoption("numprocesses", None) or 0)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker, begin with what takes long: a long file at the end would have the others wait for it."""
    if hasattr(config, "workerinput"):
        longest_first(items)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """One PostgreSQL and one provisioned NATS for the whole session."""
    with scratch() as root:
        made = make_servers(root)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="session")
def untold_replies() -> Iterator[list[str]]:
    """What of replies was not as the contract tells it."""
    with held() as found:
        yield found


@pytest.fixture(autouse=True)
def _replies_are_as_told(untold_replies: list[str]) -> Iterator[None]:
    """Fails a test in whose process a reply was given that is not as the contract tells it."""
    yield
    wrong = list(dict.fromkeys(untold_replies))
    untold_replies.clear()
    assert not wrong, "\n".join(
        ["replies are not as the contract tells them: see the model beside the endpoint", *wrong]
    )


@pytest.fixture
def own_servers(servers: Servers) -> Iterator[EmbeddedServers]:
    """A private PostgreSQL and NATS, for a test that kills, wipes or restores them."""
    shared = servers.postgres.binaries if isinstance(servers, EmbeddedServers) else None
    with scratch() as root:
        made = EmbeddedServers(root, binaries=shared)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.fixture
def infra(request: pytest.FixtureRequest) -> Servers:
    """The servers of this test: its own when it asks for `own_servers`, else the session's."""
    name = "own_servers" if "own_servers" in request.fixturenames else "servers"
    found: Servers = request.getfixturevalue(name)
    return found


@pytest.fixture
def school() -> str:
    """A school slug no other test uses: it isolates tests on the one NATS."""
    return f"s-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def database(infra: Servers) -> AsyncIterator[DatabaseFactory]:
    """Give a service's own fresh, migrated database; the same one when asked again in this test."""
    test, made = uuid.uuid4().hex[:8], dict[str, ServiceDatabase]()

    async def give(service: str) -> ServiceDatabase:
        if service not in made:
            made[service] = await infra.clone(service, f"t_{test}_{service}")
        return made[service]

    yield give
    for one in made.values():
        await infra.drop(one.name)


@pytest.fixture
async def bus(infra: Servers) -> AsyncIterator[Client]:
    """The provisioner's login in BUS over an emptied stream: what tests look into JetStream with."""
    login = await infra.emptied_bus()
    yield login
    await login.close()


@pytest.fixture
async def nats_login(infra: Servers, bus: Client) -> AsyncIterator[LoginFactory]:
    """Give a connected NATS client with a login's creds and inbox; refusals go to `errors` if given."""
    del bus  # empties the stream before anyone publishes
    made: list[Client] = []

    async def give(login: str, errors: list[Exception] | None = None) -> Client:
        async def heard(error: Exception) -> None:
            if errors is not None:
                errors.append(error)

        client = await connected(
            infra.nats_url,
            str(infra.keys.creds(login)),
            login,
            error_cb=heard,
            reconnect_time_wait=0.1,
            max_reconnect_attempts=-1,
        )
        made.append(client)
        return client

    yield give
    for client in made:
        await client.close()


@pytest.fixture
def env_for(infra: Servers, database: DatabaseFactory, tmp_path: Path) -> EnvironmentFactory:
    """Give the environment of a service's process on this test's database; keywords override it."""

    async def give(service: str, **more: str) -> dict[str, str]:
        found = service_environment(
            await database(service), infra.nats_url, infra.keys, tmp_path / f"{service}.port", tmp_path / "log"
        )
        return found | more

    return give


@pytest.fixture
async def run_service(env_for: EnvironmentFactory, bus: Client, tmp_path: Path) -> AsyncIterator[ServiceFactory]:
    """Start a service as a process and wait until it is ready; stopped at the test's end."""
    del bus
    made: list[ServiceProcess] = []

    async def start(service: str, *, wait: bool = True, replica: str = "", **more: str) -> ServiceProcess:
        folder = tmp_path / replica if replica else tmp_path
        folder.mkdir(exist_ok=True)
        env = {"SAMEN_PORT_FILE": str(folder / f"{service}.port"), **more}
        process = ServiceProcess(service, await env_for(service, **env), folder)
        made.append(process)
        process.start()
        if wait:
            await process.ready()
        return process

    yield start
    for process in made:
        process.kill()
