"""Plugging a tool in, step by step: a member, a registration, a login, a file, and what the tool's makers are told."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import UUID, uuid4

import nats.errors
import pydantic_core
from rich.markup import escape

from deploy.files import new_private
from deploy.gate_account import PAUSED, live
from deploy.samen.client import Client
from shared import nats_jwt
from shared.errors import Problem
from shared.events.words import school_subject

NOT_A_TOOL = "not_a_tool"
KNOWN_WITHIN_S = 8.0
"""The gate hears from network that there is a new tool: at once, or when it has caught up."""
SETTLED_WITHIN_S = 11.0
"""A little over the gate's own patience, so that its word arrives before ours."""


@dataclass(frozen=True, slots=True)
class Plug:
    """What is to be plugged in: `body` as `register-tool` takes it, but for the tool's id; the file, if it gets one."""

    school: str
    person: UUID
    child: UUID | None
    member: UUID | None
    body: dict[str, Any]
    path: Path | None


@dataclass(frozen=True, slots=True)
class Plugged:
    """A tool that is plugged in."""

    tool: UUID
    account: str | None
    expires_at: str | None
    server: str
    ready: bool


def file_name(name: str) -> str:
    """Returns a plain file name for a tool's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "tool"


async def plug_in(client: Client, plug: Plug, made: list[str]) -> Plugged:
    """Does it all; `made` gets a line for each step that is done, for whoever must go on after one that failed."""
    await client.check_school(plug.school)
    if plug.path is None:
        tool, _ = await _registered(client, plug, made)
        return Plugged(tool, None, None, _server(client), ready=True)
    with kept_when_done(plug.path) as file:  # first: what can't be written is known before anything is done
        tool, account = await _registered(client, plug, made)
        made[:] = [f"The tool is registered: `samen tool login {tool} --creds <file>` goes on from here."]
        login = await give_login(client, plug.school, plug.person, tool, file)
    ready = await slot_settled(client, account, "active") is not None
    return Plugged(tool, account, login["expires_at"], _server(client), ready)


@contextmanager
def kept_when_done(path: Path) -> Iterator[IO[bytes]]:
    """Yields a new file that only its owner reads; it is not left behind when what it is for fails."""
    with new_private(path) as file:
        try:
            yield file
        except BaseException:
            path.unlink()
            raise


async def _registered(client: Client, plug: Plug, made: list[str]) -> tuple[UUID, str]:
    tool = plug.member
    if tool is None:
        await _check(client, plug)
        tool = await _member(client, plug)
        made.append(f"The tool is a member now: go on with `samen tool add ... --member {tool}` in place of --child.")
    registered = await _register(client, plug, tool, new=plug.member is None)
    return tool, str(registered["account"])


async def _check(client: Client, plug: Plug) -> None:
    """Asks for a tool that is not there: raises Problem for all that is wrong but that, before anything is made."""
    try:
        await _register(client, plug, uuid4(), new=False)
    except Problem as problem:
        if problem.more.get("code") != NOT_A_TOOL:
            raise


async def _member(client: Client, plug: Plug) -> UUID:
    new = {"name": plug.body["label"], "agreement": plug.body["agreement"]}
    body = {"subject": str(plug.child), "role": "local_tool", "new_tool": new}
    actor = client.actor(plug.person, plug.school)
    return UUID((await client.command(plug.school, "network", "add-member", body, actor))["person"])


async def _register(client: Client, plug: Plug, tool: UUID, *, new: bool) -> dict[str, Any]:
    body = {"about": str(school_subject(plug.school)), "tool": str(tool), **plug.body}
    actor, loop = client.actor(plug.person, plug.school), asyncio.get_running_loop()
    end = loop.time() + (KNOWN_WITHIN_S if new else 0)
    while True:
        try:
            return dict(await client.command(plug.school, "gate", "register-tool", body, actor))
        except Problem as problem:
            if problem.more.get("code") != NOT_A_TOOL or loop.time() > end:
                raise
        await asyncio.sleep(0.2)


async def give_login(client: Client, school: str, person: UUID, tool: UUID, file: IO[bytes]) -> dict[str, Any]:
    """Makes a key, has it signed for the tool, and writes both. The key leaves this machine in that file only."""
    seed = nats_jwt.new_seed(nats_jwt.USER, secrets.token_bytes(32))
    body = {"about": str(school_subject(school)), "tool": str(tool), "user_key": nats_jwt.public_key(seed)}
    login = dict(await client.command(school, "gate", "issue-login", body, client.actor(person, school)))
    file.write(nats_jwt.credentials(login.pop("jwt"), seed).encode())
    return login


async def login_settled(client: Client, account: str, key: int) -> str | None:
    """Waits until NATS has a tool let in by this key of its slot alone, or paused; returns which of the two it is."""

    async def when(state: str) -> str | None:
        return None if await slot_settled(client, account, state) is None else state

    asked = [asyncio.create_task(when(state)) for state in (live(key), PAUSED)]
    try:
        for first in asyncio.as_completed(asked):
            if (state := await first) is not None:
                return state
        return None
    finally:
        for one in asked:
            one.cancel()


async def slot_settled(client: Client, account: str, state: str) -> int | None:
    """Waits until NATS has a tool's account as it is to be; returns its connections, None when that is not known."""
    asked = pydantic_core.to_json({"account": account, "state": state})
    try:
        found = await client.nats.request("ask.tool-slot", asked, timeout=SETTLED_WITHIN_S)
    except (nats.errors.Error, TimeoutError, OSError):
        return None
    told: dict[str, Any] = pydantic_core.from_json(found.data)
    return told["connections"] if told["holds"] is not None else None


def _server(client: Client) -> str:
    url = client.nats.connected_url
    return url.geturl() if url is not None else "see your operator"


def needs(plugged: Plugged, plug: Plug) -> list[str]:
    """Returns what the tool's makers must know, in ten lines at most."""
    own = f"--school {escape(plug.school)} --as {plug.person}"
    lines = [f"[bold]{escape(plug.body['label'])}[/] is plugged in: tool {plugged.tool}"]
    if plugged.account is None:
        lines.append(
            f"It is told by webhook; say where: [cyan]samen tool webhook set {plugged.tool} https://... {own}[/]"
        )
        return [*lines, _ask(plugged, plug)]
    lines += [
        f"  server        {escape(plugged.server)}",
        f"  credentials   {escape(str(plug.path))} (only you can read it; till {str(plugged.expires_at)[:19]} UTC)",
        "  renew         request on [cyan]in.gate.renew[/] before that; put the answer's `jwt` into the file",
        '  events        js = nc.jetstream(domain="gate"); js.pull_subscribe_bind("me", stream="OUT")',
        "  acknowledge   each event; `epoch` and `sequence` in it say whether one is missing",
        '  ask           request on [cyan]in.goals.score-goal[/] and the like, header "Idempotency-Key"',
        "  delete        what a withdrawal names, then confirm on [cyan]in.gate.confirm-deletion[/]",
    ]
    if not plugged.ready:
        lines.append("[yellow]NATS does not let it in yet: see `samen status`, and wait a moment.[/]")
    return [*lines, _ask(plugged, plug)]


def _ask(plugged: Plugged, plug: Plug) -> str:
    """Returns the command that asks guardians: for what the tool is registered for, else it gets nothing."""
    child = plug.child or "<child>"
    what = " ".join(f"--category {escape(one)}" for one in plug.body["categories"])
    ask = f"samen network ask {child} --recipient {plugged.tool} --for {escape(plug.body['for_purpose'])} {what}"
    ask += f" --school {escape(plug.school)} --as <coordinator>"
    return f"It gets what guardians consent to, child by child: [cyan]{ask}[/]"
