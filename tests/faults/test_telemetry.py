"""One request as the person who runs the platform sees it: its trace, the services' metrics, their logs."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from deploy.environment import ROOT
from deploy.home import Home
from deploy.samen import client as door_client
from shared.errors import Problem
from tests.faults.books import read_settled
from tests.faults.cast import goal_for, open_school
from tests.faults.door import Door
from tests.faults.stage import SERVICES, Stage, raised, until
from tests.faults.traces import receiving
from tests.support.servers import EmbeddedServers

SLUG = "watched"
APPLIED_BY = ("audit", "notifications")


@dataclass
class Seen:
    """What was there to see after a goal was proposed, by a request that was traced, and others were refused."""

    spans: list[Any] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    logs: dict[str, list[str]] = field(default_factory=dict)

    def value(self, service: str, name: str, **labels: str) -> float:
        """Returns the sum of a service's samples of that name with these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.pages[service])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )


@pytest.fixture(scope="module")
def seen(own: EmbeddedServers, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return asyncio.run(_watch(own, tmp_path_factory.mktemp("watched")))


async def _watch(own: EmbeddedServers, folder: Path) -> Seen:
    async with receiving() as traces, raised(own, folder, "watched", **traces.env, SAMEN_LOG_LEVEL="DEBUG") as stage:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in traces.env.items():
                patch.setenv(name, value)
            patch.setattr(door_client, "TRACED", 1.0)
            await _work(stage)
        await until(lambda: read_settled(stage), 60, "every event applied everywhere")
        await until(lambda: len(_of_goal(traces.spans)) >= 2 + len(APPLIED_BY), 30, "the spans of one trace")
        await until(lambda: _caught_up(stage), 30, "every lane's lag told as none")
        pages = {service: stage.processes[service].get("/metrics")[1] for service in SERVICES}
        logs = {path.stem: path.read_text().splitlines() for path in stage.folder.glob("*.log")}
        logs["provisioner"] = (own.root / "provisioner.log").read_text().splitlines()
        return Seen(traces.spans, pages, logs)


def _caught_up(stage: Stage) -> bool:
    """Tells whether a head was heard since the last event was applied: a lag is counted then."""
    lags = [
        sample.value
        for service in APPLIED_BY
        for family in text_string_to_metric_families(stage.processes[service].get("/metrics")[1])
        for sample in family.samples
        if sample.name == "samen_lag_events"
    ]
    return bool(lags) and not any(lags)


async def _work(stage: Stage) -> None:
    async with stage.login("samen") as login:
        school = await open_school(Door.of(stage, login), SLUG, 1)
    kid, home = school.kids[0], Home(stage.folder)
    home.keys = stage.servers.keys
    async with door_client.Client(home, url=stage.servers.nats_url, operator="test") as samen:
        teacher = samen.actor(UUID(kid.teacher), SLUG)
        await samen.command(SLUG, "goals", "propose-goal", goal_for(kid), teacher)
        asked = {"about": kid.child, "purpose": "guidance"}
        with pytest.raises(Problem):
            await samen.query(SLUG, "goals", "goals-of-child", asked, samen.actor(uuid4(), SLUG))
        await samen.nats.request(f"qry.{SLUG}.goals.goal", b"{}", headers={"Authorization": "Bearer x.y.z"})
    async with stage.bus() as bus:  # the provisioner puts it right, and says so
        assert json.loads((await bus.request("$JS.API.CONSUMER.DELETE.EVENTS.audit--events", b"")).data)["success"]
    log = stage.servers.root / "provisioner.log"
    await until(lambda: "provisioner_changed" in log.read_text(), 30, "the provisioner's line")


def _of_goal(spans: list[Any]) -> list[Any]:
    """Returns the spans of the trace in which the goal was proposed."""
    traces = {span.trace_id for span in spans if span.name == "propose-goal"}
    return [span for span in spans if span.trace_id in traces]


def test_one_trace_joins_the_door_the_service_and_every_consumer(seen: Seen) -> None:
    spans = _of_goal(seen.spans)
    assert len({span.trace_id for span in spans}) == 1
    (door,) = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    (service,) = [span for span in spans if span.kind == Span.SPAN_KIND_SERVER]
    consumers = [span for span in spans if span.kind == Span.SPAN_KIND_CONSUMER]
    assert (door.name, door.parent_span_id) == ("propose-goal", b"")
    assert (service.name, service.parent_span_id) == ("propose-goal", door.span_id)
    assert len(consumers) >= len(APPLIED_BY)
    assert {(span.name, span.parent_span_id) for span in consumers} == {("project", service.span_id)}


def test_a_services_page_has_every_series_that_the_runbook_names_and_no_other(seen: Seen) -> None:
    named = set(re.findall(r"`(samen_[a-z_]+)[`{]", (ROOT / "deploy" / "RUNBOOK.md").read_text()))
    of_gate = {"samen_slots_free"}
    assert of_gate < named
    for service in SERVICES:
        families = {family.name for family in text_string_to_metric_families(seen.pages[service])}
        assert {name for name in families if not name.endswith("_created")} == {
            name.removesuffix("_total") for name in (named if service == "gate" else named - of_gate)
        }, service


def test_the_figures_count_what_happened(seen: Seen) -> None:
    assert seen.value("goals", "samen_request_seconds_count", endpoint="propose-goal", outcome="ok") == 1
    assert seen.value("goals", "samen_request_seconds_count", endpoint="goals-of-child", outcome="forbidden") == 1
    assert seen.value("goals", "samen_refused_total", reason="unverified") == 1
    assert seen.value("goals", "samen_published_total") == 2  # proposed, denied
    for service in APPLIED_BY:
        assert seen.value(service, "samen_applied_total", producer="goals") == 2
        assert seen.value(service, "samen_lag_events", producer="goals", school=SLUG) == 0
    assert seen.value("network", "samen_published_total") > 0
    assert sum(seen.value(service, "samen_alarms_total") for service in SERVICES) == 0


def test_every_line_of_every_log_is_json_with_a_time_a_level_and_a_code(seen: Seen) -> None:
    assert seen.logs.keys() == {*SERVICES, "provisioner"}
    for name, lines in seen.logs.items():
        assert lines, name
        for line in map(json.loads, lines):
            assert {"at", "level", "service", "code", "text"} <= line.keys(), line
            assert line["service"] == name
    codes = {name: {json.loads(line)["code"] for line in lines} for name, lines in seen.logs.items()}
    assert {"started", "unverified"} <= codes["goals"]
    assert "provisioner_changed" in codes["provisioner"]
