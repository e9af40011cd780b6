"""The fixtures keep the promises other tests build on."""

import asyncio
import json
import uuid
from pathlib import Path

import asyncpg
import pytest
from nats.aio.client import Client

from tests.support.fixtures import DatabaseFactory, EnvironmentFactory, LoginFactory
from tests.support.servers import EmbeddedServers, GivenServers, Servers, make_servers


async def test_each_test_gets_a_database_of_its_own(database: DatabaseFactory) -> None:
    goals = await database("goals")
    assert await database("goals") is goals
    login = await asyncpg.connect(goals.dsn)
    try:
        assert await login.fetchval("SELECT current_database()") == goals.name
        assert await login.fetchval("SELECT current_user") == "samen_goals"
    finally:
        await login.close()


async def test_a_published_event_is_acknowledged_and_stored(nats_login: LoginFactory, bus: Client, school: str) -> None:
    goals = await nats_login("goals")
    stored = json.loads((await goals.request(f"evt.{school}.goals.goal.proposed", b"{}")).data)
    assert stored["stream"] == "EVENTS"
    info = json.loads((await bus.request("$JS.API.STREAM.INFO.EVENTS", b"")).data)
    assert info["state"]["messages"] == 1


async def test_the_environment_names_this_tests_database_and_keys(
    env_for: EnvironmentFactory,
) -> None:
    env = await env_for("audit", SAMEN_LOG_LEVEL="DEBUG")
    assert env["SAMEN_SERVICE"] == "audit"
    assert env["SAMEN_LOG_LEVEL"] == "DEBUG"
    assert "t_" in env["SAMEN_DATABASE_URL"]
    for name in ("SAMEN_NATS_CREDS", "SAMEN_TRUSTED_KEYS", "SAMEN_SIGNING_KEY", "SAMEN_LOG_KEY"):
        path = Path(env[name])
        assert path.stat().st_mode & 0o077 == 0, f"{path} can be read by others"


async def test_given_servers_are_used_with_their_own_keys_and_left_running(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMEN_INFRA", "external")
    monkeypatch.setenv("SAMEN_TEST_ADMIN_URL", servers.admin_dsn)
    monkeypatch.setenv("SAMEN_TEST_NATS_URL", servers.nats_url)
    monkeypatch.setenv("SAMEN_TEST_KEYS", str(servers.keys.root))
    given = make_servers(tmp_path)
    assert isinstance(given, GivenServers)
    given.start()
    try:
        made = await given.clone("goals", f"given_{uuid.uuid4().hex[:8]}")
        login = await asyncpg.connect(made.dsn)
        assert await login.fetchval("SELECT current_database()") == made.name
        await login.close()
        await given.drop(made.name)
    finally:
        given.stop()
    left = await servers.bus()
    assert json.loads((await left.request("$JS.API.STREAM.INFO.EVENTS", b"")).data)["config"]["name"] == "EVENTS"
    await left.close()


@pytest.mark.timeout(60)
async def test_a_wiped_broker_is_rebuilt_by_the_resident_provisioner(
    own_servers: EmbeddedServers, nats_login: LoginFactory, school: str
) -> None:
    goals = await nats_login("goals")
    own_servers.nats.kill()
    own_servers.nats.wipe()
    own_servers.nats.start()
    async with asyncio.timeout(40):
        while True:
            try:
                stored = await goals.request(f"evt.{school}.goals.goal.proposed", b"{}", timeout=1)
                break
            except Exception:  # noqa: BLE001 (any of several until the provisioner came by)
                await asyncio.sleep(0.1)
    assert json.loads(stored.data)["stream"] == "EVENTS"


async def test_committed_rows_survive_a_killed_postgres(
    own_servers: EmbeddedServers, database: DatabaseFactory
) -> None:
    goals = await database("goals")
    owner = await asyncpg.connect(goals.owner_dsn)
    await owner.execute("CREATE TABLE kept (n int)")
    await owner.execute("INSERT INTO kept VALUES (1)")
    own_servers.postgres.kill()
    owner.terminate()
    own_servers.postgres.start()
    owner = await asyncpg.connect(goals.owner_dsn)
    try:
        assert await owner.fetchval("SELECT n FROM kept") == 1
    finally:
        await owner.close()
