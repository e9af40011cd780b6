"""`samen witness`: a witness of the audit log that anyone can run, with its memory and key in a folder of its own.

It reads a log's folder (checkpoint and tiles as c2sp.org/tlog-tiles lays them out), or asks the platform. It signs what
begins with what it signed before, and nothing else; what it saw last is on disk before its signature leaves.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import nats.errors
import pydantic_core
import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from rich.console import Console
from rich.markup import escape

from deploy.files import write_private
from deploy.home import Home
from deploy.keys import private_pem
from deploy.samen.client import Client
from deploy.samen.failing import sentence
from deploy.samen.up import Dir
from shared.actor import SigningKey
from shared.tlog import witness as protocol
from shared.tlog.cosignature import cosign, witness_key
from shared.tlog.folder import UnreadableLog, growth_in
from shared.tlog.note import COSIGNATURE, BadNote, Checkpoint, NamedKey, split
from shared.tlog.tiles import HASH_SIZE
from shared.tlog.trust import Retired, Untrusted, read_log_keys
from shared.tlog.witness import Judge, Verdict

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FolderWitness:
    """A witness whose memory is `<state>/seen/*.json`, one a log, and whose signatures stand in `<state>/cosigned/`."""

    state: Path
    name: str
    key: Ed25519PrivateKey
    log: Ed25519PublicKey
    retired: tuple[Retired, ...] = ()

    @property
    def own(self) -> NamedKey:
        """Its public key."""
        return NamedKey(self.name, COSIGNATURE, self.key.public_key().public_bytes_raw())

    def seen(self, origin: str) -> Checkpoint | None:
        """Return the last checkpoint of a log that was signed; raises UnreadableLog when that is harmed."""
        place = self._place(origin)
        try:
            kept = json.loads(place.read_text())
            found = Checkpoint(origin, int(kept["size"]), bytes.fromhex(kept["root"]))
            if len(found.root) == HASH_SIZE:
                return found
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise UnreadableLog(
            f"{place} is harmed: put it back from a copy, for without it this witness would sign another log too"
        )

    def cosign(self, origin: str, request: str, held: str | None, now_s: int) -> tuple[Verdict, str]:
        """Return the verdict, and the signature line if it signed; what it saw is on disk by then."""
        with self._locked():
            judge = Judge(self.own, self.log, self.retired)
            verdict = judge.judge(self.seen(origin), request, origin, held, now_s)
            if verdict.keep is not None:
                kept = {"origin": origin, "size": verdict.keep.size, "root": verdict.keep.root.hex()}
                _put(self._place(origin), json.dumps(kept))
            line = ""
            if verdict.sign is not None:
                line = cosign(verdict.sign, self.name, self.key, now_s).line
                note = request.partition("\n\n")[2]
                _put(self.state / "cosigned" / _file(origin), note + line)
            return verdict, line

    def held(self, origin: str) -> str | None:
        """Return the newest note of a log that it signed, beside its memory."""
        try:
            return (self.state / "cosigned" / _file(origin)).read_text()
        except FileNotFoundError:
            return None

    def _place(self, origin: str) -> Path:
        return self.state / "seen" / f"{_file(origin)}.json"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.state / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _file(origin: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-." else f"_{ord(sign):x}_" for sign in origin)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def open_witness(state: Path, name: str, log: Ed25519PublicKey, retired: tuple[Retired, ...] = ()) -> FolderWitness:
    """Return the witness of a folder; its key is made, and its name kept, when it has none.

    Raises ValueError for what is no name of a key (c2sp.org/signed-note), and when the folder signs under another one:
    who trusts that name would take the signature of a stranger for a witness's.
    """
    if not name or "+" in name or any(sign.isspace() or not sign.isprintable() for sign in name):
        raise ValueError("a witness's name has no spaces and no +: take one such as council.example.org/log")
    state.mkdir(parents=True, exist_ok=True)
    kept = state / "name"
    if not kept.exists():
        write_private(kept, name)
    if (known := kept.read_text()) != name:
        raise ValueError(f"{state} is the folder of the witness {known}: take that name, or a folder of its own")
    path = state / "key.pem"
    if not path.exists():
        write_private(path, private_pem(Ed25519PrivateKey.generate()))
    return FolderWitness(state, name, SigningKey.load(path).private, log, retired)


def look_into(who: FolderWitness, folder: Path, now_s: int) -> Json:
    """Judge the log in a folder; return {origin, size, status, alarms, line}. Raises BadNote, UnreadableLog."""
    note = _note_in(folder)
    origin = split(note)[0].partition("\n")[0]
    shown = folder / "cosigned"  # where the log shows what enough witnesses signed: perhaps more than we remember
    held = shown.read_text() if shown.exists() else who.held(origin)
    alarms: list[str] = []
    while True:
        seen = who.seen(origin)
        request = growth_in(folder, seen.size if seen else 0, note)
        verdict, line = who.cosign(origin, request.text, held, now_s)
        alarms += verdict.alarms
        if verdict.keep is None or line:  # else it has learnt what it signed before: once more, from there
            break
    size = Checkpoint.parse(split(note)[0]).size
    return {"origin": origin, "size": size, "status": verdict.status, "alarms": alarms, "line": line}


def _note_in(folder: Path) -> str:
    try:
        return (folder / "checkpoint").read_text()
    except OSError as error:
        told = f"{sentence(error)}: name the folder of one school's log, in which `checkpoint` and `tile` lie"
        raise UnreadableLog(told) from None


async def ask_platform(who: FolderWitness, client: Client, school: str, now_s: int) -> Json | None:
    """Judge a school's log as the platform tells it, and give the signature back; None: nothing is signed there yet."""
    old: int | None = None
    alarms: list[str] = []
    while True:
        told = await _request(client, "ask.checkpoint", {"school": school, "witness": who.own.signer, "old": old})
        if told is None:
            return None
        origin = split(told["request"].partition("\n\n")[2])[0].partition("\n")[0]
        verdict, line = who.cosign(origin, told["request"], told["held"] or who.held(origin), now_s)
        alarms += verdict.alarms
        again = verdict.status == protocol.CONFLICT and set(verdict.alarms) <= {protocol.FORGOT}
        if not again or int(verdict.body) in {told["old"], old}:
            break
        old = int(verdict.body)
    found = {"origin": origin, "size": told["size"], "status": verdict.status, "alarms": alarms}
    if line:
        given = {"school": school, "size": told["size"], "lines": line}
        found["taken"] = (await _request(client, "ask.cosigned", given))["status"] == protocol.OK
    return found | {"line": line}


async def _request(client: Client, subject: str, body: Json) -> Any:  # noqa: ANN401  JSON
    try:
        return pydantic_core.from_json((await client.nats.request(subject, pydantic_core.to_json(body), 5)).data)
    except (nats.errors.Error, TimeoutError, OSError) as error:
        raise UnreadableLog(f"no answer on {subject} ({type(error).__name__}): see `samen status`") from None


def _tell(found: Json) -> bool:
    """Print what was judged; return whether it is well."""
    console = Console(soft_wrap=True, highlight=False)
    where = f"{escape(found['origin'])} {found['size']}"
    for alarm in found["alarms"]:
        console.print(f"[red]ALARM {alarm}: {where} is not what this witness signed before: keep both, raise it[/]")
    if not found["line"]:
        console.print(f"[red]refused ({found['status']}): {where}[/]")
    elif not found.get("taken", True):
        console.print(f"[yellow]signed {where}; the platform did not take it: is this key in its policy?[/]")
    else:
        console.print(f"signed {where}")
    return bool(found["line"]) and not found["alarms"] and found.get("taken", True)


def witness(
    state: Annotated[Path, typer.Option("--state", help="The witness's own folder: its key, and what it saw.")],
    name: Annotated[str, typer.Option("--name", help="The name of its key, such as council.example.org/log.")],
    key: Annotated[Path, typer.Option("--key", help="The log's public key, audit-log.pub.pem.")],
    folder: Annotated[Path | None, typer.Option("--from", help="A log's folder; without it the platform.")] = None,
    school: Annotated[str | None, typer.Option("--school", help="Only this school, of the platform's.")] = None,
    every: Annotated[float, typer.Option("--every", min=0, help="Seconds between looks; 0: look once.")] = 0,
    directory: Dir = None,
) -> None:
    """Be a witness of audit logs: sign what only grows, refuse and tell what does not. Exit status 0: all signed."""
    try:
        log = read_log_keys(key)
        who = open_witness(state, name, log.current, log.retired)
    except (Untrusted, TypeError, ValueError, OSError) as error:
        told = sentence(error) if isinstance(error, OSError) else str(error)
        Console(stderr=True, soft_wrap=True).print(f"[red]{escape(told)}[/]")
        raise typer.Exit(1) from None
    line = f"witness {name} {witness_key(name, who.key.public_key())}"
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"for the policy: {escape(line)}")
    if folder is not None:
        raise typer.Exit(0 if _look(who, folder, every) else 1)
    raise typer.Exit(0 if asyncio.run(_watch(who, Home(directory), school, every)) else 1)


def _look(who: FolderWitness, folder: Path, every: float) -> bool:
    while True:
        try:
            well = _tell(look_into(who, folder, int(time.time())))
        except (BadNote, UnreadableLog) as error:
            Console(soft_wrap=True).print(f"[red]{escape(str(error))}[/]")
            well = False
        if not every:
            return well
        time.sleep(every)


async def _watch(who: FolderWitness, home: Home, school: str | None, every: float) -> bool:
    async with Client(home) as client:
        if school is not None:
            await client.check_school(school)
        while True:
            well = True
            try:
                schools = [school] if school else sorted(await _request(client, "ask.witnesses", {}))
                for one in schools:
                    found = await ask_platform(who, client, one, int(time.time()))
                    well = (found is None or _tell(found)) and well
            except (BadNote, UnreadableLog) as error:
                Console(soft_wrap=True).print(f"[red]{escape(str(error))}[/]")
                well = False
            if not every:
                return well
            await asyncio.sleep(every)
