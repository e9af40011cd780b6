"""`samen audit prove`, `growth`, `verify-proof`: proofs to show, to keep as files, and to check offline."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape

from deploy.fresh import refuse_existing, write_new
from deploy.home import Home
from deploy.samen.asking import do
from deploy.samen.failing import read_text, sentence
from deploy.samen.options import As, AsJson, School, WhyLog
from deploy.samen.up import Dir
from shared.events.words import Purpose
from shared.tlog.merkle import EMPTY_ROOT
from shared.tlog.note import BadNote
from shared.tlog.policy import Policy
from shared.tlog.proof import HEADER, GrowthProof, LineProof
from shared.tlog.trust import Trust, Untrusted, read_log_keys, read_policy

Json = dict[str, Any]
Out = Annotated[Path | None, typer.Option("--out", help="Write the proof to this file (.tlog-proof).")]
Key = Annotated[
    Path | None, typer.Option("--key", help="The log's public key, audit-log.pub.pem, as you got it yourself.")
]
Quorum = Annotated[
    Path | None, typer.Option("--policy", help="Whose cosignatures are enough (tlog-policy). Else none are asked.")
]


def trust_of(directory: Path | None, key: Path | None, policy: Path | None) -> Trust:
    """Return what to believe: the files named, else those of the deployment here; ends the command without them."""
    keys = Home(directory).keys
    try:
        log = read_log_keys(key or keys.log_public)
        if policy is not None:
            return Trust(log.current, read_policy(policy), log.retired)
        own = key is None and keys.witness_policy.exists()
        return Trust(log.current, read_policy(keys.witness_policy) if own else Policy(), log.retired)
    except Untrusted as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]{escape(str(error))}[/]")
        raise typer.Exit(1) from None


def checked(text: str, trust: Trust, since: str | None = None, origin: str | None = None) -> Json:
    """Return what a proof's text shows; raises BadNote when it shows nothing.

    `since` is the older checkpoint (a signed note) that a proof of growth begins with: it is refused without.
    """
    if text.startswith(HEADER):
        line = LineProof.parse(text)
        signed, witnesses = trust.checked(line.note, origin)
        line.check(signed)
        shown: Json = {"idx": line.index, "entry": line.entry.decode()}
    elif not text.startswith("old "):
        raise BadNote(
            "it is no proof: name the file that `samen audit prove --out` or `samen audit growth --out` wrote"
        )
    else:
        growth = GrowthProof.parse(text)
        signed, witnesses = trust.checked(growth.note, origin)
        root = EMPTY_ROOT
        if growth.old:
            if since is None:
                raise BadNote("it begins with an older checkpoint: name yours with --since")
            older = trust.of_log(since, signed.origin, contained=True)
            if older.size != growth.old:
                raise BadNote(f"it begins with {growth.old} lines, your checkpoint has {older.size}")
            root = older.root
        growth.check(root, signed)
        shown = {"since": growth.old}
    times = {name: datetime.fromtimestamp(at, UTC).isoformat() for name, at in witnesses.items()}
    return {"origin": signed.origin, "size": signed.size, "root": signed.root.hex(), "cosigned": times, **shown}


def _tell(text: str, trust: Trust, since: str | None, origin: str | None, *, as_json: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    try:
        shown, why = checked(text, trust, since, origin), ""
    except (BadNote, UnicodeError) as bad:
        shown, why = {}, str(bad)
    if as_json:
        sys.stdout.write(json.dumps({**shown, "proof": text, "ok": not why, "why": why}, indent=1) + "\n")
    elif why:
        console.print(f"[red]It does not hold: {escape(why)}[/]")
    else:
        if "entry" in shown:
            console.print(escape(shown["entry"]))
        what = f"line {shown['idx']} is" if "idx" in shown else f"the log of {shown['since']} lines is the beginning"
        console.print(f"[green]It holds: {what} in {escape(shown['origin'])} of {shown['size']} lines.[/]")
        for name, at in shown["cosigned"].items():
            console.print(f"cosigned by {escape(name)} at {at}")
        if not shown["cosigned"]:
            asked = "no witness of the policy has cosigned it"
            console.print(
                asked if trust.policy.keys else "whether witnesses cosigned it was not asked: name a --policy"
            )
    raise typer.Exit(1 if why else 0)


def _new(out: Path | None) -> None:
    if out is not None:
        refuse_existing(out)


def _keep(out: Path | None, text: str) -> None:
    if out is not None:
        write_new(out, text)
        Console(stderr=True, soft_wrap=True).print(f"written to {escape(str(out))}")


def prove(
    line: Annotated[str, typer.Argument(help="The line's nr, or the id of its event.")],
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    out: Out = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Show a line with the proof that it is in the signed log, and check that proof; --out keeps it as a file."""
    try:
        named: Json = {"idx": int(line)} if line.isdecimal() else {"event": str(UUID(line))}
    except ValueError:
        raise typer.BadParameter("neither a line's number nor an event's id") from None
    _new(out)
    body = {"purpose": purpose, **named}
    found = do(directory, lambda c: c.query(school, "audit", "tlog-proof", body, c.actor(person, school)))
    _keep(out, found["proof"])
    _tell(found["proof"], trust_of(directory, None, None), None, None, as_json=as_json)


def growth(
    since: Annotated[Path, typer.Argument(help="An older checkpoint of this log, as a file.")],
    school: School,
    person: As,
    purpose: WhyLog = Purpose.OVERSIGHT,
    out: Out = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Prove that the signed log begins with the one of an older checkpoint: that it only grew."""
    trust = trust_of(directory, None, None)
    old = read_text(since)
    try:
        size = trust.of_log(old, contained=True).size
    except BadNote as bad:
        Console(stderr=True).print(f"[red]{escape(str(since))} is no checkpoint of this log: {escape(str(bad))}[/]")
        raise typer.Exit(1) from None
    _new(out)
    body = {"purpose": purpose, "since": size}
    found = do(directory, lambda c: c.query(school, "audit", "growth", body, c.actor(person, school)))
    _keep(out, found["proof"])
    _tell(found["proof"], trust, old, None, as_json=as_json)


def verify_proof(
    proof: Annotated[Path, typer.Argument(help="The file that `prove` or `growth` wrote.")],
    key: Key = None,
    policy: Quorum = None,
    origin: Annotated[str | None, typer.Option("--origin", help="The log's name, if it must be this one.")] = None,
    since: Annotated[Path | None, typer.Option("--since", help="Your older checkpoint, for a proof of growth.")] = None,
    as_json: AsJson = False,
    directory: Dir = None,
) -> None:
    """Check a proof offline: no platform, no network. Exit status 0: it holds."""
    trust = trust_of(directory, key, policy)
    try:
        text = read_text(proof)
        old = read_text(since) if since else None
    except OSError as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]{escape(sentence(error))}[/]")
        raise typer.Exit(1) from None
    _tell(text, trust, old, origin, as_json=as_json)


def add_to(app: typer.Typer) -> None:
    """Add the commands to a group."""
    app.command()(prove)
    app.command()(growth)
    app.command(name="verify-proof")(verify_proof)
