"""The provisioner makes NATS what the topology says, and again when it drifts."""

import asyncio
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from nats.aio.client import Client

from deploy import healthcheck, topology
from deploy.embedded import NatsServer
from deploy.keys import Keys
from deploy.provisioner import converge, run
from shared import nats_jwt
from tests.deploy.support import eventually
from tests.support.clients import connected
from tests.support.servers import Servers


async def _ask(bus: Client, subject: str, body: object = None) -> nats_jwt.Json:
    data = b"" if body is None else json.dumps(body).encode()
    answer: nats_jwt.Json = json.loads((await bus.request(f"$JS.API.{subject}", data)).data)
    return answer


async def test_a_settled_deployment_is_left_alone(servers: Servers) -> None:
    assert await converge(servers.nats_url, servers.keys) == []


async def test_stream_and_consumers_are_as_the_topology_says(bus: Client) -> None:
    stream = (await _ask(bus, "STREAM.INFO.EVENTS"))["config"]
    assert stream["subjects"] == ["evt.>"]
    assert (stream["storage"], stream["retention"], stream["allow_atomic"]) == ("file", "limits", True)
    assert stream["duplicate_window"] == 120 * 10**9
    audit = (await _ask(bus, "CONSUMER.INFO.EVENTS.audit--events"))["config"]
    assert audit["filter_subjects"] == [f"evt.*.{p}.>" for p in ("network", "goals", "notifications", "gate", "audit")]
    assert (audit["ack_policy"], audit["max_ack_pending"], audit["deliver_policy"]) == ("all", 1000, "all")


@pytest.fixture
def lone_nats(tmp_path: Path) -> NatsServer:
    keys = Keys(tmp_path / "keys")
    keys.ensure(issued_at=1_700_000_000)
    return NatsServer(tmp_path / "nats", keys.operator_conf)


async def test_drift_is_put_right(lone_nats: NatsServer, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    lone_nats.start()
    try:
        assert len(await converge(lone_nats.url, keys)) == 1 + len(topology.CONSUMERS)
        bus = await connected(lone_nats.url, str(keys.creds("provisioner-bus")), "provisioner")
        await _ask(bus, "CONSUMER.DELETE.EVENTS.goals--events")
        config = (await _ask(bus, "STREAM.INFO.EVENTS"))["config"]
        await _ask(bus, "STREAM.UPDATE.EVENTS", config | {"duplicate_window": 10**9, "max_age": 10**10})
        await bus.close()
        assert await converge(lone_nats.url, keys) == ["stream:EVENTS:updated", "consumer:goals--events:created"]
        assert await converge(lone_nats.url, keys) == []
    finally:
        lone_nats.stop()


async def test_a_provisioner_that_can_do_nothing_is_found_by_its_health_check(
    lone_nats: NatsServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stop, told = asyncio.Event(), tmp_path / "round"
    check = [str(told)]

    def failed() -> bool:
        return any(getattr(record, "code", "") == "provisioner_failed" for record in caplog.records)

    assert healthcheck.main(check) == 1
    lone_nats.start()
    running = asyncio.create_task(run(lone_nats.url, Keys(tmp_path / "keys"), stop, round_file=told))
    try:
        await asyncio.to_thread(eventually, told.exists)
        assert healthcheck.main(check) == 0
        os.utime(told, (0, time.time() - healthcheck.ROUND_WITHIN_S - 1))
        assert healthcheck.main(check) == 1
        await asyncio.to_thread(eventually, lambda: healthcheck.main(check) == 0)

        await asyncio.to_thread(lone_nats.kill)
        await asyncio.to_thread(eventually, failed)
        told.unlink()
        caplog.clear()
        await asyncio.to_thread(eventually, failed)
        assert healthcheck.main(check) == 1
    finally:
        stop.set()
        await running
        lone_nats.stop()


async def test_claims_are_pushed_again_without_the_operators_seed(lone_nats: NatsServer, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    # A server that knows only SYS, as one of a cluster may that is set up anew.
    lines = keys.operator_conf.read_text().splitlines()
    others = [str(nats_jwt.claims_of(keys.account_jwt(a))["sub"]) for a in ("BUS", "GATE", "PLATFORM")]
    kept = [line for line in lines if not line.strip().startswith(tuple(others))]
    assert len(kept) == len(lines) - 3
    keys.operator_conf.write_text("\n".join(kept))
    shutil.rmtree(keys.root / "operator")
    lone_nats.start()
    try:
        changes = await converge(lone_nats.url, keys)
        assert changes[:3] == ["claims:BUS", "claims:GATE", "claims:PLATFORM"]
        assert changes[3] == "stream:EVENTS:created"
    finally:
        lone_nats.stop()


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    keys.ensure(issued_at=1_700_000_000)
    before = {path: path.read_bytes() for path in keys.root.rglob("*") if path.is_file()}
    Keys(tmp_path / "keys").ensure(issued_at=1_800_000_000)
    assert {path: path.read_bytes() for path in keys.root.rglob("*") if path.is_file()} == before
    assert not [path for path in before if path.stat().st_mode & 0o077]
    trusted = json.loads(keys.trusted.read_text())
    kinds = {kid: entry["kind"] for kid, entry in trusted.items()}
    assert kinds == dict.fromkeys(topology.NAMES, "service") | {"samen": "door", "gate": "gate"}


def test_jwts_are_signed_anew_when_the_topology_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(tmp_path / "keys")
    keys.ensure(issued_at=1_700_000_000)
    before, seeds = keys.account_jwt("BUS"), (keys.root / "operator" / "BUS.nk").read_bytes()
    monkeypatch.setattr(topology, "CROSSING", (*topology.CROSSING, ("new.>", "Singleton")))
    keys.ensure(issued_at=1_700_000_100)
    after = nats_jwt.claims_of(keys.account_jwt("BUS"))
    assert keys.account_jwt("BUS") != before
    assert "new.>" in [export["subject"] for export in after["nats"]["exports"]]
    assert (keys.root / "operator" / "BUS.nk").read_bytes() == seeds
