"""Embedded servers: who they run as, where, and that nobody else is taken for them."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from deploy.embedded import PostgresServer
from deploy.embedded.postgres import reachable_home, run_as
from deploy.embedded.process import ProcessMark, StartFailed, listens
from tests.support.servers import EmbeddedServers, Servers


@pytest.fixture
def embedded(request: pytest.FixtureRequest, servers: Servers) -> EmbeddedServers:
    """The session's servers where they are embedded, else some of one's own."""
    found: Servers = servers if isinstance(servers, EmbeddedServers) else request.getfixturevalue("own_servers")
    assert isinstance(found, EmbeddedServers)
    return found


async def test_postgres_runs_safely_and_durably(embedded: EmbeddedServers) -> None:
    assert psutil.Process(embedded.postgres.pid).uids().real != 0
    wanted = {
        "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "wal_level": "replica",
        "max_connections": "200", "listen_addresses": "127.0.0.1", "password_encryption": "scram-sha-256",
        "log_parameter_max_length_on_error": "0", "log_min_error_statement": "panic", "TimeZone": "UTC",
    }  # fmt: skip
    admin = await asyncpg.connect(embedded.admin_dsn)
    try:
        for name, value in wanted.items():
            assert await admin.fetchval("SELECT current_setting($1)", name) == value, name
        assert await admin.fetchval("SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    finally:
        await admin.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://postgres:wrong@127.0.0.1:{embedded.postgres.port}/postgres")


def test_servers_listen_on_loopback_only(embedded: EmbeddedServers) -> None:
    for pid, port in ((embedded.postgres.pid, embedded.postgres.port), (embedded.nats.pid, embedded.nats.port)):
        found = [c for c in psutil.Process(pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert found
        assert {(c.laddr.ip, c.laddr.port) for c in found} == {("127.0.0.1", port)}


def test_a_port_someone_else_holds_is_not_mistaken_for_ours(embedded: EmbeddedServers) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert listens(os.getpid(), port)
        assert not listens(embedded.nats.pid, port)
        server = PostgresServer(embedded.root / "second", binaries=embedded.postgres.binaries)
        try:
            server.start(port)
            assert server.port != port
            assert listens(server.pid, server.port)
        finally:
            server.stop()


@pytest.mark.skipif(run_as() is None, reason="only root needs another user's way to the data")
async def test_under_roots_closed_home_the_data_moves_and_is_found_again(
    embedded: EmbeddedServers, tmp_path: Path
) -> None:
    binaries = embedded.postgres.binaries
    tmp_path.chmod(0o700)
    server = PostgresServer(tmp_path / "postgres", binaries=binaries)
    try:
        assert not server.home.is_relative_to(tmp_path)
        server.start()
        admin = await asyncpg.connect(server.admin_dsn)
        await admin.execute("CREATE TABLE kept AS SELECT 1 AS n")
        await admin.close()
        server.stop()
        again = PostgresServer(tmp_path / "postgres", binaries=binaries)
        again.start()
        admin = await asyncpg.connect(again.admin_dsn)
        assert await admin.fetchval("SELECT n FROM kept") == 1
        await admin.close()
        again.stop()
        shutil.rmtree(tmp_path / "postgres")
        fresh = reachable_home(tmp_path / "postgres")
        assert fresh != server.home, "who deletes the folder begins anew"
    finally:
        server.stop()
        shutil.rmtree(server.home, ignore_errors=True)


def test_a_server_that_cannot_start_says_why(embedded: EmbeddedServers) -> None:
    server = PostgresServer(embedded.root / "third", binaries=embedded.postgres.binaries)
    server.start()
    server.stop()
    with (server.data / "postgresql.conf").open("a") as file:
        file.write("max_connections = 'many'\n")
    with pytest.raises(StartFailed, match='invalid value for parameter "max_connections"'):
        server.start()


async def test_without_its_password_data_is_left_alone_and_works_once_it_is_back(embedded: EmbeddedServers) -> None:
    server = PostgresServer(embedded.root / "kept", binaries=embedded.postgres.binaries)
    password, away = server.home / "admin.password", server.home / "away"
    server.start()
    try:
        admin = await asyncpg.connect(server.admin_dsn)
        await admin.execute("CREATE TABLE kept AS SELECT 1 AS n")
        await admin.close()
        server.stop()
        password.rename(away)
        with pytest.raises(StartFailed, match="put back"):
            server.start()
        password.touch()  # as a full disk leaves it
        with pytest.raises(StartFailed, match="put back"):
            server.start()
        away.rename(password)
        server.start()
        admin = await asyncpg.connect(server.admin_dsn)
        assert await admin.fetchval("SELECT n FROM kept") == 1
        await admin.close()
    finally:
        server.stop()


def test_a_folder_that_holds_something_else_is_not_made_a_database(embedded: EmbeddedServers) -> None:
    server = PostgresServer(embedded.root / "other", binaries=embedded.postgres.binaries)
    server.data.mkdir(parents=True)
    (server.data / "precious").write_text("kept")
    with pytest.raises(StartFailed, match="move it away"):
        server.start()
    assert (server.data / "precious").read_text() == "kept"


class Killed(BaseException):
    """Ends the making of data where a kill -9 would."""


@pytest.mark.parametrize("finished", [False, True])
async def test_data_whose_making_was_cut_short_is_made_anew(
    embedded: EmbeddedServers, monkeypatch: pytest.MonkeyPatch, *, finished: bool
) -> None:
    home, run = embedded.root / f"cut-{finished}", subprocess.run

    def cut_short(command: list[str], **how: Any) -> None:  # noqa: ANN401  passed on as they are
        if finished:
            run(command, **how)
        else:  # initdb writes this file first
            folder = Path(command[command.index("-D") + 1])
            folder.mkdir()
            (folder / "PG_VERSION").write_text("17\n")
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", cut_short)
        with pytest.raises(Killed):
            PostgresServer(home, binaries=embedded.postgres.binaries).start()
    server = PostgresServer(home, binaries=embedded.postgres.binaries)
    try:
        server.start(timeout_s=20)
        admin = await asyncpg.connect(server.admin_dsn)
        assert await admin.fetchval("SELECT current_setting('max_connections')") == "200"
        await admin.close()
    finally:
        server.stop()


def test_a_mark_knows_its_process_from_a_later_one_with_its_id() -> None:
    mark = ProcessMark.of(os.getpid())
    assert mark is not None
    assert mark.find() is not None
    assert ProcessMark(mark.pid, mark.started_at - 60).find() is None
