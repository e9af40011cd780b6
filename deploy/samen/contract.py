"""`samen contract`: what other programs may build on. Needs no running platform."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deploy.contract.kept import Entry, alone, entries, read, reply_alone
from deploy.contract.layout import pretty
from deploy.samen.asking import as_json
from deploy.samen.options import AsJson
from deploy.samen.tables import print_table

app = typer.Typer(no_args_is_help=True, help="What other programs may build on: every event, command and query.")

KINDS = ("event", "command", "query", "request")


@app.command("list")
def list_(
    service: Annotated[str | None, typer.Option("--service", help="Of one service only.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="event, command, query or request (of a tool).")] = None,
    json_: AsJson = False,
) -> None:
    """List every event, command and query, with the subject that it goes over."""
    documents = read()
    if service is not None and service not in documents:
        raise typer.BadParameter(f"there is no {service}: choose from {', '.join(documents)}", param_hint="--service")
    if kind is not None and kind not in KINDS:
        raise typer.BadParameter(f"choose from {', '.join(KINDS)}", param_hint="--kind")
    found = [one for one in entries(documents) if service in {None, one.service} and kind in {None, one.kind}]
    if json_:
        as_json([_row(one) for one in found])
        return
    versions = ", ".join(f"{name} {one['info']['version']}" for name, one in documents.items())
    table = Table(title="The contract", caption=versions)
    for column in ("kind", "name", "subject", "in words"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(*map(escape, (one.kind, one.name, one.address, one.summary)))
    print_table(table)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="An event's type, or a command's or query's name, as `list` has it.")],
    service: Annotated[
        str | None, typer.Option("--service", help="Where several services have one of that name.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Show one: in words, its subject, an example, its body and its reply, each as a JSON Schema 2020-12 of its own."""
    documents = read()
    found = [one for one in entries(documents) if name in _names(one) and service in {None, one.service}]
    if not found:
        raise typer.BadParameter(f"nothing is called {name}: `samen contract list` has the names", param_hint="NAME")
    if service is None and len(found) > 1:  # what tools are told is told by a service first
        found = [one for one in found if one.service != "tools"]
    if len({one.service for one in found}) > 1:
        services = ", ".join(one.service for one in found)
        raise typer.BadParameter(f"{services} have one each: add --service", param_hint="NAME")
    one = found[0]
    schema = alone(documents[one.service], one)
    examples = _examples(one.message)
    reply = reply_alone(documents[one.service], one)
    replies = _examples(one.reply or {})
    if json_:
        told = {} if reply is None else {"reply_examples": replies, "reply_schema": reply}
        as_json(_row(one) | {"examples": examples, "schema": schema, **told})
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"[bold]{escape(one.name)}[/]  {one.kind} of {one.service}\n{escape(one.address)}\n{escape(one.summary)}"
    )
    for example in examples:
        console.print(f"\nFor example:\n{escape(pretty(example))}")
    console.print(f"\nJSON Schema:\n{escape(pretty(schema))}")
    if reply is not None:
        _show_reply(console, replies, reply)


@app.command()
def write(folder: Annotated[Path, typer.Argument(help="A folder; it is made. What is in it stays.")]) -> None:
    """Write all of it: an AsyncAPI 3 document a service, a JSON Schema 2020-12 for each event, request and reply."""
    documents = read()
    for service, document in documents.items():
        _keep(folder / "asyncapi" / f"{service}.json", document)
    count = 0
    for one in entries(documents):
        place = folder / "schemas" / one.service / one.kind
        made = {f"{one.name}.json": alone(documents[one.service], one)}
        if (reply := reply_alone(documents[one.service], one)) is not None:
            made[f"{one.name}.reply.json"] = reply
        for name, schema in made.items():
            _keep(place / name, schema)
        count += len(made)
    told = f"{len(documents)} AsyncAPI documents and {count} schemas are in {folder}"
    Console(soft_wrap=True, highlight=False).print(escape(told))


def _examples(message: Mapping[str, Any]) -> list[Any]:
    return [example["payload"] for example in message.get("examples", ())]


def _show_reply(console: Console, examples: list[Any], schema: Mapping[str, Any]) -> None:
    for example in examples:
        console.print(f"\nAnswered, for example:\n{escape(pretty(example))}")
    console.print(f"\nJSON Schema of the answer, where it is no problem (RFC 9457):\n{escape(pretty(schema))}")


def _names(entry: Entry) -> set[str]:
    """Return what an entry may be called: an event also by the part that says what happened."""
    happened = entry.name.removeprefix("nl.samenkracht.").partition(".")[2].rpartition(".")[0]
    return {entry.name, entry.address, entry.address.split(".", 3)[-1]} | ({happened} if happened else set())


def _row(entry: Entry) -> dict[str, str]:
    return {
        "service": entry.service,
        "kind": entry.kind,
        "name": entry.name,
        "subject": entry.address,
        "summary": entry.summary,
    }


def _keep(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
