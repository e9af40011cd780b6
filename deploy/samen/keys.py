"""`samen keys`: take new keys of the audit log, the house's witness, or tokens into use; prepare slots of tools."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from deploy.home import Home
from deploy.keys import Keys
from deploy.rotation import Refused, finish_witness, rotate_log, rotate_tokens, rotate_witness
from deploy.samen.up import Dir
from deploy.topology import WITNESS
from shared.tlog.note import key_id
from shared.tlog.trust import Untrusted

app = typer.Typer(
    no_args_is_help=True, help="Keys that sign the audit log and tokens: take new ones into use without a gap."
)
rotating = typer.Typer(no_args_is_help=True, help="Take a new key into use.")
app.add_typer(rotating, name="rotate")

NEXT = (
    "Restart audit and notifications now (`samen restart audit notifications`): only then does it sign. In containers "
    "run the job `databases` first."
)
IN_USE = "Running services take them into use within seconds, by themselves. In containers run the job `databases` now."


def _say(text: str) -> None:
    Console(soft_wrap=True, highlight=False).print(text)


def _refused(error: Exception) -> typer.Exit:
    Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]{escape(str(error))}[/]")
    return typer.Exit(1)


@rotating.command()
def log(
    overlap_days: Annotated[int, typer.Option("--overlap-days", min=1, max=366, help="How long both sign.")] = 30,
    leaked: Annotated[
        bool, typer.Option("--leaked", help="The old key leaked: it signs no more, from now on.")
    ] = False,
    directory: Dir = None,
) -> None:
    """Make a new key sign the log. What the old one signed by its end still verifies, by witnesses' cosignatures."""
    keys = Home(directory).keys
    try:
        rotate_log(keys, int(time.time()), overlap_days, leaked=leaked)
    except (Refused, Untrusted, OSError) as error:
        raise _refused(error) from None
    _say(NEXT)
    _say(f"Give whoever verifies the new {escape(str(keys.log_public))}, another way than by a pack.")
    _show(keys)


@rotating.command()
def witness(
    finish: Annotated[bool, typer.Option("--finish", help="End the overlap: the old key signs no more.")] = False,
    directory: Dir = None,
) -> None:
    """Make a new key of the house's witness sign beside the old one; later `--finish` ends the old one's time."""
    keys = Home(directory).keys
    try:
        if finish:
            finish_witness(keys, WITNESS)
        else:
            _say(f"new in {escape(str(keys.witness_policy))}: {rotate_witness(keys, WITNESS)}")
    except (Refused, OSError) as error:
        raise _refused(error) from None
    _say(NEXT)
    _say(f"Give whoever verifies the new {escape(str(keys.witness_policy))}.")


@rotating.command()
def tokens(
    only: Annotated[list[str] | None, typer.Argument(help="Of these doors and services alone; else of all.")] = None,
    overlap_minutes: Annotated[
        int, typer.Option("--overlap-minutes", min=6, max=10_080, help="How long the old keys count too.")
    ] = 1_440,
    leaked: Annotated[
        bool, typer.Option("--leaked", help="The old keys leaked: they count no more, from now on.")
    ] = False,
    directory: Dir = None,
) -> None:
    """Make new keys sign the tokens by which doors and services say who asks. No request is refused in between."""
    keys = Home(directory).keys
    try:
        made = rotate_tokens(keys, int(time.time()), overlap_minutes * 60, only or (), leaked=leaked)
    except (Refused, OSError, ValueError) as error:
        raise _refused(error) from None
    _say(f"{made} new {'key' if made == 1 else 'keys'}. {IN_USE}")
    if leaked:
        _say("A door that runs on with an old key is refused from now on: restart it.")


@app.command()
def show(directory: Dir = None) -> None:
    """Show which key signs the log, and until when others did."""
    try:
        keys = Home(directory).keys
        _show(keys)
        _show_tokens(keys)
    except Untrusted as error:
        raise _refused(error) from None


@app.command()
def slots(
    more: Annotated[
        int, typer.Argument(min=0, max=10_000, help="Prepare so many more; else say how many there are.")
    ] = 0,
    directory: Dir = None,
) -> None:
    """Prepare the accounts of tools ahead, while the operator's seed is here: a tool that is added later takes one."""
    keys = Home(directory).keys
    try:
        keys.prepare_slots(more)
    except OSError as error:
        raise _refused(error) from None
    count = len(keys.slots.names())
    _say(f"{count} slots are prepared{f', {more} of them now' if more else ''}. `samen status` says how many are free.")
    if more:
        _say(IN_USE)


def _show(keys: Keys) -> None:
    known = keys.log_keys()
    _say(f"signs the log now: {_name(known.current.public_bytes_raw())}")
    for key, until in known.retired:
        _say(f"until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC: {_name(key.public_bytes_raw())}")


def _show_tokens(keys: Keys) -> None:
    for kid, told in sorted(keys.told_trusted().items()):
        ends = [one["until"] for one in told.get("older", ()) if one["until"] > time.time()]
        until = f", the one before it until {datetime.fromtimestamp(max(ends), UTC):%Y-%m-%d %H:%M} UTC" if ends else ""
        _say(f"signs tokens of {escape(kid)}: {sha256(told['public_pem'].encode()).hexdigest()[:16]}{until}")


def _name(raw: bytes) -> str:
    return f"{raw.hex()[:16]} (audit-log, {key_id('audit-log', raw).hex()})"


def job(arguments: Sequence[str]) -> None:
    """Run `samen keys rotate ...` or `slots ...`: a job of an installation, whose SAMEN_KEYS names the folder."""
    app([*arguments])
