"""`samen status`: services, lag, heads, cursors, dead letters, alarms."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Annotated, Any

import nats.errors
import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from deploy.gate_account import FEW_FREE, KILLED, LIVE, LIVES, PAUSED, STATES
from deploy.home import Home
from deploy.samen.client import Client
from deploy.samen.tables import print_table
from deploy.samen.up import Dir
from deploy.supervisor import ask, read
from deploy.topology import NAMES, SERVICES
from shared.errors import Problem

Json = dict[str, Any]


async def gather(home: Home) -> Json:
    """Return one object about everything that runs: what `--json` prints."""
    state = home.running()
    async with Client(home) as client:
        heads, cursors = await client.announcements()
        told = await asyncio.gather(*(_status(client, name) for name in NAMES))
        witnesses, held = await _told(client, "ask.witnesses"), await _told(client, "ask.slots")
    services = {}
    for name, own in zip(NAMES, told, strict=True):
        port = home.service_port(name)
        status, ready = await asyncio.to_thread(ask, port, "/ready") if port else (0, {})
        metrics = await asyncio.to_thread(read, port, "/metrics") if port else ""
        services[name] = {
            "ready": own.get("ready", status == 200),
            "pid": state.get("processes", {}).get(name, {}).get("pid"),
            "restarts": state.get("restarts", {}).get(name, 0),
            "alarms": alarms(metrics),
            "details": own or ready,
        }
    return {
        "services": services,
        "heads": heads,
        "lanes": lanes(heads, cursors),
        "witnesses": witnesses,
        "slots": held,
        "dead_letters": {name: own.get("dead_letters", []) for name, own in zip(NAMES, told, strict=True)},
    }


def alarms(metrics: str) -> dict[str, int]:
    """Return how often each alarm was raised since the service started, from its metrics page."""
    return {
        sample.labels["code"]: int(sample.value)
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == "samen_alarms_total" and sample.value
    }


async def _status(client: Client, service: str) -> Json:
    try:
        found: Json = await client.operate(service, "status")
    except Problem:
        return {}
    return found


async def _told(client: Client, subject: str) -> Json:
    """Return what a service tells of itself: of logs, how far each and its witnesses have come; of tools' slots, what
    holds. {} when it does not answer.
    """
    try:
        found: Json = json.loads((await client.nats.request(subject, b"{}", timeout=2)).data)
    except (nats.errors.Error, TimeoutError, OSError):
        return {}
    return found


def lanes(heads: Json, cursors: Json) -> list[Json]:
    """Return each consumer's lag per producer and school: the head announced less the cursor announced."""
    found = []
    for service in SERVICES:
        for producer in service.consumes:
            for school, (epoch, seq, _) in sorted(heads.get(producer, {}).items()):
                at = cursors.get(service.name, {}).get(producer, {}).get(school, [epoch, 0, ""])
                lane = {"consumer": service.name, "producer": producer, "school": school}
                found.append(lane | {"epoch": epoch, "head": seq, "cursor": at[1], "lag": max(0, seq - at[1])})
    return found


def status(
    directory: Dir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what runs, how far behind each consumer is, and what stands still."""
    found = asyncio.run(gather(Home(directory)))
    if as_json:
        sys.stdout.write(json.dumps(found, indent=1) + "\n")
        return
    console = Console()
    for table in (_services(found), _lanes(found), _logs(found), slots(found), _letters(found)):
        if table.row_count:
            print_table(table, console)


def _services(found: Json) -> Table:
    table = Table(
        "service", "ready", "pid", "restarts", "relay backlog", "alarms", "stands in the way", title="Services"
    )
    for name, one in found["services"].items():
        details = one["details"]
        wrong = [key for key in ("nats", "database", "checked", "consumer") if details.get(key) is False]
        wrong += ["rebuilding: nothing is permitted"] if details.get("rebuilding") else []
        wrong += [
            f"{count} closed until reviewed: {school}" for school, count in details.get("under_review", {}).items()
        ]
        wrong += [f"fork: {school}" for school in details.get("forked", {})]
        wrong += [f"{lane['producer']}/{lane['school']}: {lane['stopped']}" for lane in _stopped(details)]
        ready = "[green]yes[/]" if one["ready"] else "[red]no[/]"
        raised = ", ".join(f"{code} {count}x" for code, count in one["alarms"].items())
        backlog = str(details.get("relay", {}).get("backlog", "?"))
        table.add_row(name, ready, str(one["pid"] or "-"), str(one["restarts"]), backlog, raised, ", ".join(wrong))
    return table


def _stopped(details: Json) -> list[Json]:
    return [lane for lane in details.get("lanes", []) if lane["stopped"]]


def _lanes(found: Json) -> Table:
    table = Table("consumer", "producer", "school", "epoch", "head", "cursor", "lag", title="Lanes")
    for lane in found["lanes"]:
        lag = f"[red]{lane['lag']}[/]" if lane["lag"] else "0"
        values = [str(lane[key]) for key in ("consumer", "producer", "school", "epoch", "head", "cursor")]
        table.add_row(*values, lag)
    return table


def _logs(found: Json) -> Table:
    table = Table("school", "signed", "enough witnesses", "waits (s)", "each witness", title="Audit logs")
    for school, one in sorted(found["witnesses"].items()):
        if one["size"] is not None:
            waits = "-" if one["waits_s"] is None else f"{one['waits_s']:.1f}"
            late = one["waits_s"] is not None and one["waits_s"] > one["within_s"]
            each = ", ".join(f"{name} {size}" for name, size in sorted(one["witnesses"].items()))
            far = (str(one["size"]), str(one["endorsed"] or 0), f"[red]{waits}[/]" if late else waits)
            table.add_row(school, *far, each)
    return table


def slots(found: Json) -> Table:
    """Return what the slots of tools are, and how many are free; no row where none are used."""
    table = Table("state", "slots", "connections", title="Slots of tools")
    told = found["slots"]
    if not told or (told["free"] is None):
        return table
    for state, held_as in ((LIVE, LIVES), (PAUSED, (PAUSED,)), (KILLED, (KILLED,))):
        accounts = [account for account, held in told["slots"].items() if held in held_as]
        if accounts:
            table.add_row(state, str(len(accounts)), str(sum(told["connections"].get(one, 0) for one in accounts)))
    if others := [held for held in told["slots"].values() if held not in STATES]:
        table.add_row("[red]not made[/]", str(len(others)), "0")
    if told["free"] + len(told["slots"]) > 0:
        free = str(told["free"])
        table.add_row("free", free if told["free"] >= FEW_FREE else f"[red]{free}[/]", "")
        table.caption = "prepare more: samen keys slots <number>"
    return table


def _letters(found: Json) -> Table:
    table = Table("service", "school", "producer", "state", "code", "events", title="Dead letters")
    table.caption = "the events themselves: samen dead-letters list"
    for service, letters in found["dead_letters"].items():
        for one in letters:
            table.add_row(service, *(str(one[key]) for key in ("school", "producer", "state", "code", "count")))
    return table
