"""Why somebody did or did not get something, in words: each a fact that stands here, none a guess.

For the member itself, of its own; and for who keeps the school's records, of anybody about a child whose records they
keep. The words name no one: what somebody else is told of stays with them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notifications.adjusting import audience_of
from services.notifications.own import own_act
from services.notifications.replies import WhyReply
from services.notifications.rules import BY_KIND, is_fixed
from services.notifications.times import HERE, Pace
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent, Viewed
from shared.events.words import Action, Category, school_subject
from shared.text import Code
from shared.unit import Asked, Change, Endpoint, Query, Snapshot


class Why(Query):
    """Why the asking member (or `member`) did or did not get what there was to be told about `about`."""

    about: UUID
    member: UUID | None = None
    kind: Code | None = None


UNTOLD = {
    "own_act": "it was this person's own act: nobody is told of what they did themselves",
    "not_asked": "only who can answer it is told, and this person could not then",
    "not_in_circle": "only who may see who takes part is told, and this person was here by authority alone",
    "not_for_role": "only who asks on the school's behalf is told, and never a parent or the child",
    "not_concerned": "only those whom it concerned were told, and this person was not one of them",
    "role_left_out": "the school had chosen not to tell people in this person's role",
    "rule_off": "the school had switched this kind of notice off",
    "no_grant": "this person had no grant then to be told of such things",
}
HELD = {
    "quiet_hours": "it came in quiet hours, and waits for their end",
    "days_off": "the school is closed, and it waits for the first day after",
    "digest": "it waits for the digest that this person, the school or the foundation has chosen",
}
CODES = {
    "folded": "something newer about the same came before it left: that was told instead",
    "no_grant": "when it was to leave, this person might not be told of it any more",
    "not_now": "when it was to leave, this person's grant did not hold",
    "answered": "it had been answered or put away before it was to leave",
    "seen": "this person had read it in the inbox before it was to leave",
    "not_wanted": "this person has switched this kind of notice off for this channel",
    "no_address": "there was no address to send it to",
    "too_late": "it could not be sent for five days",
    "unsubscribed": "this person has stopped what is ordinary through this channel",
    "unsubscribed_all": "this person has stopped all mail, also what law or safety wants told; the school was told so",
    "digest_full": "the digest had no room for it, and said that there was more: it lies in the inbox",
    "address_stopped": "nothing arrives at the address that is known: it must be corrected, or opened again",
    "gone": "what it was to be sent to is there no more",
    "bounced": "mail to this person came back for good",
}
STATES = {
    "held": "held",
    "queued": "about to be sent",
    "claimed": "being sent",
    "deferred": "tried, and to be tried again",
    "sent": "sent",
    "failed": "not sent, and not tried again",
    "cancelled": "not sent",
}


TO_ONESELF = frozenset({"own_act", "role_left_out", "rule_off"})
"""What may be said to the one who was not told: that something was told to others only is not theirs to know."""
OF_RECORDS = frozenset({Category.NETWORK, Category.IDENTITY})
"""Of other things who keeps the records learns that something was told or not, and not what it was."""


def decide_why(asked: Asked[Why], seen: Snapshot) -> Change:
    """Answers the facts about each event of the last ones that concerned the child: told or not, and why."""
    if asked.body.member in {None, asked.actor.id}:
        untold = [cause for cause in seen.state["causes"] if cause["code"] in TO_ONESELF]
        facts = _facts(seen, untold)
        event = NewEvent(
            Viewed(query="why", things=len(facts)),
            school_subject(asked.school),
            own_act(asked, Action.VIEW),
            producer="notifications",
        )
        return Change(permits=(), events=(event,), result={"facts": facts})
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK, asked.body.about)
    if asked.body.kind is not None and not _of_records(asked.body.kind):
        raise Problem(
            ProblemType.INVALID, "kind: of somebody else only kinds about the network and the file can be asked for"
        )
    facts = [_veiled(fact) for fact in _facts(seen, seen.state["causes"])]
    looked = Viewed(query="why", things=len(facts))
    event = NewEvent(looked, permit.subject, permit.act, thing=asked.body.member, producer="notifications")
    return Change(permits=(permit,), events=(event,), result={"facts": facts})


def _facts(seen: Snapshot, causes: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    facts = [*_told(seen.state["notices"], seen.state["rules"]), *_untold(causes)]
    return sorted(facts, key=lambda fact: str(fact["occurred_at"]), reverse=True)


def _veiled(fact: dict[str, Any]) -> dict[str, Any]:
    if _of_records(fact["kind"]):
        return fact
    rule = BY_KIND.get(fact["kind"])
    return fact | {"kind": f"something of {rule.category.value if rule else 'old'}", "words": fact["words"][-1:]}


def _of_records(kind: str) -> bool:
    return kind in BY_KIND and BY_KIND[kind].category in OF_RECORDS


def _told(notices: list[Mapping[str, Any]], rules: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    off = {(one["kind"], one["number"]) for one in rules if one["settings"].get("pace") == Pace.OFF}
    for notice in notices:
        yield {
            "notice": notice["id"],
            "source": notice["source"],
            "kind": notice["kind"],
            "occurred_at": notice["occurred_at"],
            "told": True,
            "words": [*_why_told(notice), *_ways(notice, off)],
        }


def _why_told(notice: Mapping[str, Any]) -> Iterator[str]:
    rule, told = BY_KIND.get(notice["kind"]), notice["told"]
    if rule is not None:
        number = told.get("rule", 0)
        which = f"version {number} of the school's own" if number else "as the foundation has it"
        yield f"the rule for {rule.kind} ({which}) tells {audience_of(rule)}, if they may hear of {rule.category.value}"
    if told:
        yield f"this person might: as {told['role']}, on the basis {told['basis']}, by grant {told['grant']}"
    if is_fixed(notice["kind"]):
        yield "law or safety wants this told: it comes by mail whatever is switched off, unless all mail was stopped"
    if notice["folded_into"]:
        yield f"in the inbox it is shown as one with a newer notice about the same: {notice['folded_into']}"
    if notice["answered"]:
        yield "it has been answered"
    if notice["reminded"]:
        yield f"this person was reminded of it {notice['reminded']} times"
    if notice["remind_at"]:
        yield f"a reminder is planned for {_local(notice['remind_at'])}, unless it is answered before"


def _ways(notice: Mapping[str, Any], off: Container[tuple[str, int]]) -> list[str]:
    if notice["deliveries"]:
        return [_how(one) for one in notice["deliveries"]]
    if (notice["kind"], notice["told"].get("rule", 0)) in off:
        return [
            "it lies in the inbox only: the school sends this kind out to nobody, and this person had not asked for it"
        ]
    return ["it lies in the inbox only: this person had switched this kind off for every channel"]


def _how(delivery: Mapping[str, Any]) -> str:
    through = f"{'reminder' if delivery['round'] else 'notice'} through {delivery['channel']}"
    said = f"{through}: {STATES[delivery['state']]}"
    if delivery["state"] == "held":
        held = HELD.get(delivery["why"], delivery["why"]) + _by(delivery)
        return f"{said} until {_local(delivery['release_at'])}: {held}"
    if delivery["code"]:
        said += f": {CODES.get(delivery['code'], 'code ' + delivery['code'])}"
    if delivery["period"]:
        said += f" (in the digest of {delivery['period']})"
    return said


def _by(delivery: Mapping[str, Any]) -> str:
    """Names the hours that it was weighed by; of what was held before they were noted nothing."""
    number = delivery["hours"]
    if number is None:
        return ""
    whose = f"version {number} of the school's hours" if number else "the foundation's hours"
    return f" (by {whose}, but for what this person had set)"


def _untold(causes: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for cause in causes:
        yield {
            "notice": None,
            "source": cause["source"],
            "kind": cause["kind"],
            "occurred_at": cause["occurred_at"],
            "told": False,
            "words": [UNTOLD[cause["code"]]],
        }


def _local(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(HERE):%Y-%m-%d %H:%M}"


ENDPOINTS: tuple[Endpoint[Any], ...] = (Endpoint("why", Why, "read_why", decide_why, WhyReply),)
