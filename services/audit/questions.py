"""What auditors ask beside who looked: findings, emergencies, consents as they stood, exports, looks at the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.audit.facts import ANSWERS, Facts
from services.audit.facts import Asked as Consent
from services.audit.judging import Page as Judged
from services.audit.judging import part_of, review_due_at, within
from services.audit.pages import Index, Moment, Page, may_look, page_of, shown
from services.audit.replies import FindingsReply, JudgedReply, LinesReply
from services.audit.story import Language, held_back, sentences
from services.audit.told_replies import ConsentsTold, EmergenciesTold, StoryReply
from shared.events.base import Event
from shared.events.emergencies import EmergencyEnded, EmergencyReviewed, EmergencyStarted
from shared.events.network import ConsentGiven
from shared.events.words import school_subject
from shared.text import Code
from shared.unit import Asked, Change, Endpoint, Query, Snapshot

Limit = Annotated[int, Field(ge=1, le=200)]


class Findings(Query):
    """What the judge found, newest line first; `before` is the `next` of the page before."""

    code: Code | None = None
    before: Index | None = None
    limit: Limit = 50


class JudgePeriod(Query):
    """Judges the lines committed from `since` (included) to `until` (excluded), a page; `first` is the last `next`.

    Nothing is kept: it is judged anew, whatever was found before. `waiting` of the answer: so many of these lines name
    a position of network that the log has not come to yet; ask again in a moment.
    """

    since: Moment
    until: Moment
    first: Index | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 200


class Exports(Page):
    """What was exported or taken along."""

    who: UUID | None = None


class LogLooks(Page):
    """Who looked at the log itself, and who was refused."""

    who: UUID | None = None


class BreakGlass(Query):
    """Every emergency access in the school, or to one child, newest first, and whether it was reviewed.

    `held_back` of the answer says, as a story's does, that the law lets the school hold some back from this reader.
    """

    child: UUID | None = None
    language: Language = Language.ENGLISH
    before: Index | None = None
    limit: Limit = 50


class Consents(Query):
    """A child's consents as they stood at `on` (None: now), as was known, that is recorded, at `known` (None: now)."""

    child: UUID
    on: Moment | None = None
    known: Moment | None = None


class Story(Page):
    """Who looked at a child, in plain sentences; for guardians and the young person. Newest first.

    `held_back` of the answer says, where that may be told, that the law lets the school hold lines back, and how long.
    """

    child: UUID
    language: Language = Language.DUTCH


def decide_findings(asked: Asked[Findings], seen: Snapshot) -> Change:
    """Shows findings, with how far the judge has come."""
    school = school_subject(asked.school)
    permit, found = may_look(asked, seen, school), seen.state["findings"]
    result = {
        "findings": found,
        "judged": seen.state["judged"],
        "size": seen.state["size"],
        "next": found[-1]["idx"] if len(found) >= asked.body.limit else None,
    }
    return shown(permit, "findings", school, result, things=len(found))


def decide_judge(asked: Asked[JudgePeriod], seen: Snapshot) -> Change:
    """Judges a page of lines."""
    school, body = school_subject(asked.school), asked.body
    permit = may_look(asked, seen, school)
    page = Judged(seen.state)
    told_at, kept = seen.state["told_at"], set(seen.state["kept"])
    asked_of = within(page.lines, body.since, body.until)
    lines = [said for said in asked_of if not page.waits(said)]
    found = page.judge_anew(lines, datetime.fromisoformat(told_at) if told_at else None)
    goes_on = len(page.lines) == body.limit and page.lines[-1].idx + 1 < seen.state["end"]
    result = {
        "judged": len(lines),
        "waiting": len(asked_of) - len(lines),
        "findings": [{**asdict(one), "part": part_of(one)} for one in found if one.idx not in kept],
        "next": page.lines[-1].idx + 1 if goes_on else None,
    }
    return shown(permit, "judge", school, result, things=len(lines))


def decide_exports(asked: Asked[Exports], seen: Snapshot) -> Change:
    """Shows what was exported."""
    school = school_subject(asked.school)
    return shown(may_look(asked, seen, school), "exports", school, page_of(asked.body, seen.state["lines"]))


def decide_log_looks(asked: Asked[LogLooks], seen: Snapshot) -> Change:
    """Shows who looked at the log."""
    school = school_subject(asked.school)
    return shown(may_look(asked, seen, school), "log-looks", school, page_of(asked.body, seen.state["lines"]))


def decide_break_glass(asked: Asked[BreakGlass], seen: Snapshot) -> Change:
    """Shows emergencies and their reviews."""
    school, body = school_subject(asked.school), asked.body
    subjects = (school,) if body.child is None else (body.child, school)
    permit = may_look(asked, seen, *subjects)
    now, rows = datetime.fromisoformat(seen.state["now"]), seen.state["emergencies"]
    found = [_emergency(row, now) for row in rows]
    result: dict[str, Any] = {"emergencies": found, "next": rows[-1]["idx"] if len(rows) == body.limit else None}
    result["held_back"] = held_back(seen.state["held"], body.language, young=body.child == asked.actor.id)
    return shown(permit, "break-glass", subjects[0], result, things=len(found))


def _emergency(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    event = Event.parse(row["event"].encode())
    started, due = event.fact(EmergencyStarted), review_due_at(event.fact(EmergencyStarted).starts_at)
    told = {**started.model_dump(mode="json"), "idx": row["idx"], "child": str(event.about)}
    told |= {"review_due_at": due.isoformat(), "review": None, "overdue": due < now}
    for text in row["later"]:
        later = Event.parse(text.encode())
        if later.is_a(EmergencyEnded):
            told["ends_at"] = later.fact(EmergencyEnded).ends_at.isoformat()
        else:
            outcome = later.fact(EmergencyReviewed).outcome.value
            told["review"] = {
                "outcome": outcome,
                "by": str(later.act.actor),
                "at": later.occurred_at.isoformat(),
                "in_time": later.occurred_at <= due,
            }
            told["overdue"] = False
    return told


def decide_consents(asked: Asked[Consents], seen: Snapshot) -> Change:
    """Shows a child's consents at a moment. A guardian, in whatever role, sees the own answers and none of another."""
    body = asked.body
    only = asked.actor.id if seen.state["guardian"] else None
    permit = may_look(asked, seen, body.child, school_subject(asked.school))
    on = body.on or datetime.fromisoformat(seen.state["now"])
    events = [Event.parse(text.encode()) for text in seen.state["events"]]
    consents = Facts().take(events).consents
    result = {"consents": [_consent(id_, one, events, on, only) for id_, one in consents.items()], "on": on.isoformat()}
    return shown(permit, "consents", body.child, result, things=len(consents))


def _consent(id_: UUID, one: Consent, events: Sequence[Event], on: datetime, only: UUID | None) -> dict[str, Any]:
    last = next(e for e in reversed(events) if e.thing == id_)
    state = str(last.content["data"]["fact"]["state"])
    given = [e for e in events if e.thing == id_ and any(e.is_a(fact) for fact in ANSWERS)]
    answered = {e.fact(ConsentGiven).giver: e.occurred_at.isoformat() for e in given}  # each answer has its fields
    return {
        "consent": str(id_),
        "version": one.version,
        "state": state if one.span.holds(on) else f"{state}, not in its period",
        "purpose": one.purpose.value,
        "recipient_kind": one.recipient_kind.value,
        "recipient": str(one.recipient),
        "categories": sorted(one.categories),
        "starts_at": one.span.since.isoformat(),
        "ends_at": one.span.until.isoformat(),
        "answers": [
            {"giver": str(who), "answer": answer.kind, "capacity": answer.capacity.value, "at": answered.get(who)}
            for who, answer in sorted(one.answers.items())
            if only is None or who == only
        ],
        "recorded_at": last.recorded_at.isoformat(),
    }


def decide_story(asked: Asked[Story], seen: Snapshot) -> Change:
    """Tells who looked at a child, in sentences."""
    body = asked.body
    permit = may_look(asked, seen, body.child)
    page = page_of(body, seen.state["lines"])
    events = [Event.parse(text.encode()) for text in seen.state["events"]]
    told = sentences(page["lines"], events, asked.actor.id, body.language)
    held = held_back(seen.state["held"], body.language, young=body.child == asked.actor.id)
    result = {"sentences": told, "next": page["next"], "held_back": held}
    return shown(permit, "story", body.child, result, things=len(told))


QUESTIONS: tuple[Endpoint[Any], ...] = (
    Endpoint("findings", Findings, "read_findings", decide_findings, FindingsReply),
    Endpoint("judge", JudgePeriod, "read_judged", decide_judge, JudgedReply),
    Endpoint("exports", Exports, "read_exports", decide_exports, LinesReply),
    Endpoint("log-looks", LogLooks, "read_log_looks", decide_log_looks, LinesReply),
    Endpoint("break-glass", BreakGlass, "read_break_glass", decide_break_glass, EmergenciesTold),
    Endpoint("consents", Consents, "read_consents", decide_consents, ConsentsTold),
    Endpoint("story", Story, "read_story", decide_story, StoryReply),
)
