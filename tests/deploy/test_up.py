"""`samen up` with every service: ready, looked into, killed with everything, and up again on the same data."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from deploy.embedded.process import ProcessMark, spawn, tail
from deploy.environment import base_environment
from deploy.home import Home
from deploy.topology import NAMES
from tests.deploy.support import eventually
from tests.support.scratch import scratch

EVERYTHING = {"postgres", "nats", "provisioner", "catcher", *NAMES}


@pytest.fixture
def home() -> Iterator[Home]:
    with scratch() as root:
        made = Home(root / ".samen")
        yield made
        for entry in made.state().get("processes", {}).values():
            ProcessMark(entry["pid"], entry["started_at"]).stop(signal.SIGKILL)


def _samen(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "deploy.samen", *arguments, "--dir", str(home.root)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=base_environment(), timeout=60)


def _up(home: Home) -> subprocess.Popen[bytes]:
    log = home.root.parent / "up.log"
    started = spawn([sys.executable, "-m", "deploy.samen", "up", "--dir", str(home.root)], log, env=base_environment())

    def is_up() -> bool:
        assert started.poll() is None, tail(log)
        state = home.state()
        if (state.get("supervisor") or {}).get("pid") != started.pid:
            return False
        return set(state["processes"]) == EVERYTHING and b"Ctrl-C stops it" in log.read_bytes()

    log.write_bytes(b"")
    eventually(is_up, 90)
    return started


@pytest.mark.timeout(240)
def test_up_survives_the_death_of_everything_and_keeps_its_data(home: Home) -> None:
    first = _up(home)
    found = json.loads(_samen(home, "status", "--json").stdout)
    assert {name: one["ready"] for name, one in found["services"].items()} == dict.fromkeys(NAMES, True)
    assert "Services" in _samen(home, "status").stdout

    _takes_new_keys_into_use(home)
    password = home.keys.password("samen_goals")
    processes = home.state()["processes"]
    for pid in (first.pid, *(entry["pid"] for entry in processes.values())):
        os.kill(pid, signal.SIGKILL)
    first.wait()
    status = _samen(home, "status")
    assert (status.returncode, "samen up" in status.stderr) == (1, True), status.stderr

    second = _up(home)
    assert home.keys.password("samen_goals") == password
    assert home.state()["postgres_port"] == home.ports()["postgres"]
    down = _samen(home, "down")
    assert down.returncode == 0, down.stderr
    assert second.wait(10) == 0
    left = [n for n, p in processes.items() if ProcessMark(p["pid"], p["started_at"]).find()]
    assert left == []
    assert not home.state_file.exists()


def _takes_new_keys_into_use(home: Home) -> None:
    """New token keys count at once, while all runs; one service is restarted in order, and no other."""
    rotated = _samen(home, "keys", "rotate", "tokens", "--leaked")
    assert rotated.returncode == 0, rotated.stderr
    found = json.loads(_samen(home, "status", "--json").stdout)
    assert {name: "under_review" in one["details"] for name, one in found["services"].items()} == dict.fromkeys(
        NAMES, True
    )
    before = home.state()["processes"]
    again = _samen(home, "restart", "audit")
    assert (again.returncode, "audit is ready again" in again.stdout) == (0, True), again.stderr
    after = home.state()["processes"]
    assert {name for name in before if before[name] != after[name]} == {"audit"}
    wrong = _samen(home, "restart", "olm")
    assert (wrong.returncode, "the services are" in wrong.stderr) == (2, True)


def test_up_that_fails_leaves_nothing_running(home: Home) -> None:
    home.ensure()
    (home.root / "nats").write_text("in the way")
    found = _samen(home, "up")
    assert found.returncode != 0
    assert home.state() == {}
    assert not (home.postgres / "data" / "postmaster.pid").exists()
