"""Keeps the contract: `check` (in `make check`), `write` what the code says, `publish` what others may build on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.contract.kept import CURRENT, PUBLISHED, REF, names_in, read
from deploy.contract.layout import pretty
from deploy.contract.shape import differences, shape
from deploy.topology import NAMES

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "contracts" / "events"
REPLIES = ROOT / "tests" / "contracts" / "replies"
TOOLS = "tools"
"""What schools' own tools are told: apart from what services tell each other."""
TOLD = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "school", "thing")
FIRST = "1.0.0"
USAGE = "python -m deploy.contract check|write|publish"


def said() -> dict[str, dict[str, Any]]:
    """Return the document of each service, as the service itself prints it: nothing is imported across the wall."""
    asked = {name: (f"services.{name}", "asyncapi") for name in NAMES} | {TOOLS: ("services.gate.contract",)}
    running = {
        name: subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, cwd=ROOT)
        for name, words in asked.items()
    }
    told = {name: process.communicate()[0] for name, process in running.items()}
    if failed := [name for name, process in running.items() if process.returncode]:
        sys.exit(f"no contract came from {', '.join(failed)}: see above")
    return {name: json.loads(text) for name, text in told.items()}


def complete(documents: Mapping[str, dict[str, Any]], published: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the documents with their version, the golden samples of events as examples, and the bodies of tools."""
    lend_bodies(documents)
    for service, document in documents.items():
        document["info"]["version"] = version(document, published.get(service))
        answers = answered(document)
        for message in document["components"]["messages"].values():
            example = answers.get(message["name"], sample(service, message["name"]))
            if example is not None:
                message["examples"] = [{"name": "sample", "payload": example}]
    return dict(documents)


def lend_bodies(documents: Mapping[str, dict[str, Any]]) -> None:
    """Put into the tools' document what they ask of services, as those tell it: the purpose may be left out."""
    tools = documents[TOOLS]["components"]
    for address, message in list(tools["messages"].items()):
        _, service, name = (*address.split("."), "", "")[:3]
        if message["payload"] != {} or service not in documents:
            continue
        lender = documents[service]["components"]
        lent = lender["messages"][name]
        body = dict(lender["schemas"][lent["payload"]["$ref"].removeprefix(REF)])
        purpose = {"$ref": f"{REF}Purpose", "description": "What the tool is registered for; no other."}
        body["properties"] = {**body["properties"], "purpose": purpose}
        body["required"] = [one for one in body.get("required", ()) if one != "purpose"]
        message |= {"summary": lent["summary"], "payload": {"$ref": f"{REF}Asked{body['title']}"}}
        tools["schemas"][f"Asked{body['title']}"] = body
        waiting = [body, *lend_reply(documents[TOOLS], documents[service], address, name)]
        while waiting:
            for needed in names_in(waiting.pop()):
                if needed not in tools["schemas"]:
                    tools["schemas"][needed] = lender["schemas"][needed]
                    waiting.append(lender["schemas"][needed])
    tools["schemas"] = dict(sorted(tools["schemas"].items()))


def lend_reply(tools: dict[str, Any], lender: Mapping[str, Any], address: str, name: str) -> list[Any]:
    """Put into the tools' document what a service answers; return the payload, which may point to more."""
    reply = lender["operations"][name]["reply"]["messages"][0]["$ref"].rpartition("/")[2]
    tools["components"]["messages"][reply] = message = lender["components"]["messages"][reply]
    tools["channels"]["answers"]["messages"][reply] = {"$ref": f"#/components/messages/{reply}"}
    tools["operations"][address]["reply"]["messages"][0] = {"$ref": f"#/channels/answers/messages/{reply}"}
    return [message["payload"]]


def answered(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the golden samples of replies by message, as they come."""
    said = document["channels"].get("answers", {"messages": {}})["messages"]
    kept: dict[str, Any] = {}
    for path in sorted(REPLIES.glob("*.json")):
        kept |= json.loads(path.read_text())
    return {name: {"ok": kept[name]} for name in said if name in kept}


def sample(service: str, name: str) -> dict[str, Any] | None:
    """Return the golden sample of an event; what every service tells is kept once, as `goals` tells it."""
    kept = SAMPLES / f"{name}.json"
    if not kept.exists():
        kept = SAMPLES / f"{name.replace(f'.{service}.', '.goals.', 1)}.json"
    if not kept.exists():
        return None
    event: dict[str, Any] = json.loads(kept.read_text())
    if service == TOOLS:
        return None if event["producer"] == "gate" else as_told(event)
    return event | {"type": name, "producer": service, "source": f"/olm/{service}"} if event["type"] != name else event


def as_told(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as a tool is told it; `tests/contracts` hold it against what the gate says."""
    said = {name: event[name] for name in TOLD if name in event}
    act = event["data"]["act"]
    more = {"role": act["role"], "data": event["data"]["fact"], "category": act["category"]}
    return said | more | {"epoch": 1, "sequence": 7}


def version(document: Mapping[str, Any], published: Mapping[str, Any] | None) -> str:
    """Return a service's version: the published one while nothing was added, else the next, not yet promised."""
    if published is None:
        return f"{FIRST}-unpublished"
    if shape(document) == {"operations": published["operations"], "schemas": published["schemas"]}:
        return str(published["version"])
    major, minor, _ = published["version"].split(".")
    return f"{major}.{int(minor) + 1}.0-unpublished"


def text(value: object) -> str:
    """Return a kept file's text."""
    return pretty(value) + "\n"


def check(documents: Mapping[str, Any], published: Mapping[str, Any], kept: Path) -> list[str]:
    """Return what is wrong, a line each: what broke since the last published version, and what is not kept yet."""
    wrong = [f"{service}: the whole service is gone" for service in published if service not in documents]
    for service, document in documents.items():
        path = kept / f"{service}.json"
        if service in published:
            wrong += [f"{service}: {line}" for line in differences(published[service], shape(document))]
        if not path.exists() or path.read_text() != text(document):
            wrong.append(f"{service}: {path.name} is not what the code says: python -m deploy.contract write")
    return wrong


def write(documents: Mapping[str, Any], folder: Path) -> None:
    """Keep what the code says."""
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.json"):
        path.unlink()
    for service, document in documents.items():
        (folder / f"{service}.json").write_text(text(document))


def publish(documents: Mapping[str, Any], folder: Path) -> None:
    """Make what the code says the version that others build on: from now on it may only grow."""
    for service, document in documents.items():
        number = document["info"]["version"].removesuffix("-unpublished")
        (folder / f"{service}.json").write_text(text({"version": number, **shape(document)}))
        _say(f"{service} {number}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main(asked: str) -> int:
    """Return the exit code."""
    published = read(PUBLISHED)
    documents = complete(said(), published)
    if asked == "write":
        write(documents, CURRENT)
        return 0
    if asked == "check":
        wrong = check(documents, published, CURRENT)
        _say("\n".join(wrong) if wrong else f"the contract of {len(documents)} services only grew, and is kept")
        return 1 if wrong else 0
    if wrong := check(documents, published, CURRENT):
        _say("\n".join(["not published:", *wrong]))
        return 1
    publish(documents, PUBLISHED)
    write(complete(documents, read(PUBLISHED)), CURRENT)
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["check"], ["write"], ["publish"]):
        sys.exit(USAGE)
    sys.exit(main(sys.argv[1]))
