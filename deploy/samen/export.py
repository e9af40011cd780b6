"""`samen audit export`: a school's log as a pack for auditors; and the check of such a pack, without any platform."""

from __future__ import annotations

import asyncio
import json
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.fresh import beside, into_place
from deploy.home import Home
from deploy.pack.layout import KEY, MANIFEST, POLICY, Manifest
from deploy.pack.report import Report
from deploy.pack.source import BadPack, Source
from deploy.pack.verifier import verify
from deploy.pack.writer import PackWriter, zipped
from deploy.samen.asking import do
from deploy.samen.client import Client
from deploy.samen.failing import read_text, sentence
from deploy.samen.options import As, School, WhyLog
from deploy.samen.proofs import trust_of
from deploy.samen.up import Dir
from shared.events.words import Purpose
from shared.tlog.note import Checkpoint, split
from shared.tlog.policy import Policy
from shared.tlog.trust import LogKeys, Trust, Untrusted, log_keys_in, log_keys_text, policy_in, read_policy

Json = dict[str, Any]
FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
FAILED_RC = 1
MOST_FINDINGS = 50
"""In one answer of the log: each shows both sides."""


class Exporter:
    """Asks for the log page by page and writes what comes; each page is a look that the log keeps."""

    def __init__(self, client: Client, school: str, person: UUID, purpose: Purpose) -> None:
        """Take who asks for which school's log, and why."""
        self._client, self._school = client, school
        self._actor, self._purpose = client.actor(person, school), purpose

    async def _ask(self, query: str, **body: object) -> Json:
        found: Json = await self._client.query(
            self._school, "audit", query, {"purpose": self._purpose, **body}, self._actor
        )
        return found

    async def run(self, folder: Path, trust: Trust, since: str | None, until: str | None, told: Progress) -> Manifest:
        """Write the pack into a folder that is not there yet; return its manifest."""
        begun = await self._ask("export", since=since, until=until)
        size = Checkpoint.parse(split(begun["note"])[0]).size
        task = told.add_task("lines", total=size)
        first, end = begun["first"], begun["end"]
        with PackWriter(folder, begun["note"], first, end) as writer:
            for low, high in ((0, first), (first, end), (end, size)):
                async for count in self._fill(writer, low, high, entries=(low, high) == (first, end)):
                    told.update(task, completed=count)
            notes = [note async for page in self._notes(size) for note in page]
            writer.checkpoints([*notes[:-1], begun["note"]])
            writer.findings([found async for page in self._findings() for found in page])
            keys = log_keys_text(LogKeys(trust.log, trust.retired))
            return await asyncio.to_thread(writer.finish, keys, trust.policy.text.encode())

    async def _fill(self, writer: PackWriter, first: int, end: int, *, entries: bool) -> AsyncIterator[int]:
        while first < end:
            if entries:
                page = [text.encode() for text in (await self._ask("export-lines", first=first, end=end))["lines"]]
                await asyncio.to_thread(writer.entries, page)
            else:
                joined = b64decode((await self._ask("export-hashes", first=first, end=end))["hashes"])
                page = [joined[at : at + 32] for at in range(0, len(joined), 32)]
                await asyncio.to_thread(writer.hashes, page)
            if not page:
                raise BadPack("the log: it gave fewer lines than it has signed")
            first += len(page)
            yield first

    async def _notes(self, size: int) -> AsyncIterator[list[str]]:
        last = 0
        while last < size:
            found = await self._ask("export-checkpoints", after=last, until=size)
            if found["last"] is None:
                return
            yield found["notes"]
            last = found["last"]

    async def _findings(self) -> AsyncIterator[list[Json]]:
        before: int | None = None
        while True:
            body = {"limit": MOST_FINDINGS} | ({} if before is None else {"before": before})
            told = await self._ask("findings", **body)
            yield told["findings"]
            before = told["next"]
            if before is None:
                return


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


def export(
    school: School,
    person: As,
    out: Annotated[Path, typer.Option("--out", help="A new folder, or a new file that ends in .zip.")],
    purpose: WhyLog = Purpose.OVERSIGHT,
    since: Annotated[datetime | None, typer.Option("--from", formats=FORMATS, help="Recorded since (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option("--to", formats=FORMATS, help="Recorded before this (UTC).")] = None,
    directory: Dir = None,
) -> None:
    """Write a school's log as one pack: lines (NDJSON, CSV, Parquet, FHIR), report, tiles, checkpoints, keys."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    trust = trust_of(directory, None, None)

    async def run(client: Client, folder: Path) -> Manifest:
        with _bar(console) as told:
            period = (_utc(since), _utc(until))
            return await Exporter(client, school, person, purpose).run(folder, trust, *period, told)

    try:
        with beside(out) as part:
            made: Manifest = do(directory, lambda client: run(client, part / "pack"))
            _into_place(part, out)
    except (BadPack, ValueError, OSError) as error:
        told = sentence(error) if isinstance(error, OSError) else str(error)
        console.print(f"[red]nothing was written: {escape(told)}[/]")
        raise typer.Exit(FAILED_RC) from None
    console.print(f"{escape(str(out))}: lines {made.first} to {made.end - 1} of {made.size} in {escape(made.origin)}")


def _into_place(part: Path, out: Path) -> None:
    if out.suffix != ".zip":
        into_place(part / "pack", out)
        return
    packed = part / "packed.zip"
    zipped(part / "pack", packed)
    packed.chmod(0o600)
    into_place(packed, out)


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.isoformat()}Z"


def verify_pack(
    pack: Path,
    key: Path | None,
    policy: Path | None,
    pinned: Path | None,
    directory: Path | None,
    *,
    school: str | None = None,
    as_json: bool,
) -> None:
    """Check a pack, print what is wrong with it, and end the command: exit status 0 when nothing is.

    A pack of another school than the one named, if one is, is refused: whether it holds says nothing of that school.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        with Source(pack) as source, _bar(console) as told:
            if MANIFEST not in source.names():
                raise BadPack(f"{pack} is no pack: name the folder or .zip that `samen audit export --out` wrote")
            trust, claimed = _trust(source, key, policy, directory, console)
            task = told.add_task("lines", total=None)
            kept = read_text(pinned) if pinned else None
            report = verify(
                source,
                trust,
                pinned=kept,
                progress=lambda done, of: told.update(task, completed=done, total=of),
                claimed=claimed,
            )
    except (BadPack, Untrusted, OSError, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, BadPack | Untrusted) else sentence(error)
        console.print(f"[red]nothing was checked: {escape(why)}[/]")
        raise typer.Exit(FAILED_RC) from None
    own = report.origin.rpartition("/")[2]
    if school is not None and school != own:
        other = f"this is a pack of {own or 'no school'}, not of {school}: name the other pack, or the other school"
        console.print(f"[red]{escape(other)}[/]")
        raise typer.Exit(FAILED_RC)
    _tell(report, as_json=as_json, by_policy=claimed is None)
    raise typer.Exit(FAILED_RC if report.findings else 0)


def _trust(
    source: Source, key: Path | None, policy: Path | None, directory: Path | None, console: Console
) -> tuple[Trust, Policy | None]:
    """Returns what to believe, and the pack's own policy where there is no other: that one shows nothing by itself."""
    keys = Home(directory).keys
    if key is not None or keys.log_public.exists():
        trust = trust_of(directory, key, policy)
        elsewhere = policy is not None or (key is None and keys.witness_policy.exists())
        return trust, None if elsewhere else _policy(source)
    console.print(
        "[yellow]The keys are the pack's own: that shows that the pack fits together, not who made it. Give it those "
        "that you got another way (--key, --policy).[/]"
    )
    log = log_keys_in(source.read(KEY), KEY)
    if policy is not None:
        return Trust(log.current, read_policy(policy), log.retired), None
    return Trust(log.current, Policy(), log.retired), _policy(source)


def _policy(source: Source) -> Policy:
    return policy_in(source.read(POLICY), POLICY)


def _tell(report: Report, *, as_json: bool, by_policy: bool) -> None:
    first = report.first_bad_line
    if as_json:
        found = [{"file": one.file, "idx": one.idx, "what": one.what} for one in report.findings]
        told = {name: getattr(report, name) for name in ("origin", "size", "lines", "checkpoints", "root", "producers")}
        told |= {"cosigned": report.cosigned, "first_bad_line": first.idx if first else None}
        sys.stdout.write(json.dumps({**told, "findings": found, "ok": not found}, indent=1) + "\n")
        return
    console = Console(soft_wrap=True, highlight=False)
    for one in report.findings[:20]:
        where = f" line {one.idx}" if one.idx >= 0 else ""
        console.print(f"[red]{escape(one.file)}{where}: {escape(one.what)}[/]")
    if report.findings:
        what = f"the first bad line is {first.idx}" if first else "no single line is to blame"
        console.print(f"[red]It does not hold: {len(report.findings)} findings; {what}.[/]")
        return
    console.print(f"[green]It holds: {report.lines} of {report.size} lines in {escape(report.origin)}.[/]")
    who = f"cosigned by {', '.join(report.cosigned) or 'nobody'}"
    who = who if by_policy else "whose cosignatures count you did not say (--policy), so none were counted"
    console.print(f"{report.checkpoints} checkpoints; {who}")
