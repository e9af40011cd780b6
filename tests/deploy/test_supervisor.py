"""`samen up`: what ends is started again, what a killed run left is found, data is used again."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.process import ProcessMark, is_port_free, listens, spawn
from deploy.environment import base_environment
from deploy.home import Home, NotRunning
from deploy.supervised import Program
from deploy.supervisor import AlreadyRunning, Supervisor
from tests.deploy.support import eventually
from tests.support.scratch import scratch

WITHOUT_SERVICES = """
import sys
from pathlib import Path
from deploy.home import Home
from deploy.samen.up import stop_on_signals
from deploy.supervisor import Supervisor
stop, supervisor = stop_on_signals(), Supervisor(Home(Path(sys.argv[1])), ())
supervisor.start()
supervisor.watch(stop)
supervisor.stop()
"""


@pytest.fixture
def home() -> Iterator[Home]:
    with scratch() as root:
        made = Home(root / ".samen")
        yield made
        for entry in made.state().get("processes", {}).values():
            ProcessMark(entry["pid"], entry["started_at"]).stop(signal.SIGKILL)


def _alive(home: Home) -> bool:
    processes = home.state().get("processes", {})
    return len(processes) == 4 and all(ProcessMark(p["pid"], p["started_at"]).find() for p in processes.values())


def test_killed_processes_are_started_again_on_their_ports(home: Home) -> None:
    supervisor, stop = Supervisor(home, ()), threading.Event()
    supervisor.start()
    watching = threading.Thread(target=supervisor.watch, args=(stop,))
    watching.start()
    try:
        ports = (supervisor.postgres.port, supervisor.nats.port)
        before = home.state()["processes"]
        for name in ("postgres", "nats", "provisioner", "catcher"):
            os.kill(before[name]["pid"], signal.SIGKILL)
        eventually(lambda: all(home.state()["restarts"].get(name) == 1 for name in before) and _alive(home))
        assert (supervisor.postgres.port, supervisor.nats.port) == ports
        assert listens(supervisor.postgres.pid, ports[0])
        assert listens(supervisor.nats.pid, ports[1])
        with pytest.raises(AlreadyRunning, match="samen down"):
            Supervisor(home, ()).start()
    finally:
        stop.set()
        watching.join()
        supervisor.stop()
    assert is_port_free(ports[0])
    with pytest.raises(NotRunning, match="samen up"):
        home.running()


def test_a_killed_supervisors_orphans_are_stopped_and_its_data_used_again(home: Home) -> None:
    log = home.root.parent / "up.log"
    command = [sys.executable, "-c", WITHOUT_SERVICES, str(home.root)]
    first = spawn(command, log, env=base_environment())
    eventually(lambda: home.ports_file.exists() and _alive(home))
    system = home.ports()
    orphans = home.state()["processes"]
    first.kill()
    first.wait()
    assert _alive(home), "control: orphans live on when only their supervisor is killed"

    second = spawn(command, log, env=base_environment())
    try:
        eventually(lambda: home.state()["supervisor"]["pid"] == second.pid and _alive(home))
        gone = [ProcessMark(p["pid"], p["started_at"]).find() for p in orphans.values()]
        assert gone == [None] * 4
        assert home.ports()["postgres"] == system["postgres"]
        assert home.running()["supervisor"]["pid"] == second.pid
    finally:
        second.terminate()
        assert second.wait(30) == 0
    assert not home.state_file.exists()


def test_a_reused_process_id_is_not_taken_for_an_orphan(home: Home) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    try:
        home.ensure()
        mark = ProcessMark.of(bystander.pid)
        assert mark is not None
        stale = {"pid": bystander.pid, "started_at": mark.started_at - 1000}
        home.write_state({"supervisor": stale, "processes": {"goals": stale}})
        supervisor = Supervisor(home, ())
        supervisor._stop_orphans()
        assert bystander.poll() is None
        home.write_state({"processes": {"goals": {"pid": bystander.pid, "started_at": mark.started_at}}})
        supervisor._stop_orphans()  # control: the same id with its own start time is stopped
        assert ProcessMark(bystander.pid, mark.started_at).find() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_the_pause_grows_while_a_program_keeps_ending(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", "pass"], tmp_path / "log", base_environment())
    program.start()
    pauses = []
    now = 100.0
    for _ in range(8):
        eventually(lambda: program.code() is not None)
        assert not program.is_due(now)
        assert program.is_due(now + program.pause_s + 0.001)
        pauses.append(program.pause_s)
        program.restart()
    program.stop(5)
    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_state_survives_a_half_written_file(home: Home) -> None:
    home.ensure()
    home.state_file.write_text('{"supervisor": ')
    assert home.state() == {}
    home.write_state({"processes": {}})
    assert json.loads(home.state_file.read_text()) == {"processes": {}}
    assert home.state_file.stat().st_mode & 0o077 == 0
