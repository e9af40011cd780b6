"""How a school decides: versions of its policy, and disputes that suspend it. Bodies and pure decisions."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any
from uuid import UUID, uuid5

from pydantic import Field

from services.network.draft import Draft, as_moment
from services.network.members import Managing, conflict, invalid
from services.network.model import Child, children_of, school_of
from services.network.policy import (
    CHILD_RULES,
    EMERGENCY_RULE,
    HOLDER_RULES,
    POLICY_VERSION,
    REVIEW_RULE,
    SCHOOL_RULES,
    WIDE_RULES,
)
from services.network.policy import Rule as TableRule
from services.network.queries import also, viewed
from services.network.safeguards import Dispute, PolicyVersion, Withholding, in_force
from services.network.spans import FOREVER, Span, day_start
from shared import access
from shared.access import Permit
from shared.events.network import Decision, DisputeNoted, DisputeSettled, HolderRole, PolicyRule, PolicySet
from shared.events.words import Action, Category
from shared.text import Day, Text
from shared.unit import Asked, Change, Query, Request, Snapshot, stale


class SetPolicy(Managing):
    """Sets by which rule holders decide in a matter, from `starts_on` on (None: now), as a new version."""

    decision: Decision
    rule: PolicyRule
    starts_on: Day | None = None


class NoteDispute(Request):
    """Notes that holders disagree in a matter: until it is settled all must agree. `note` stays with its keepers."""

    child: UUID
    decision: Decision
    between: Annotated[tuple[UUID, ...], Field(min_length=2, max_length=10)]
    note: Text | None = None


class SettleDispute(Request):
    """Notes that a dispute is over."""

    child: UUID
    dispute: UUID
    version: int


class Policies(Query):
    """The policy tables of the school."""


class Deciders(Query):
    """Who decides on what about a child, by which rule."""

    child: UUID


def decide_set_policy(asked: Asked[SetPolicy], seen: Snapshot) -> Change:
    """Adds a version; the consents and grants of every child follow (each child waits for its turn)."""
    permit = seen.require(asked, Action.MANAGE, Category.NETWORK)
    body, draft, school = asked.body, Draft(seen, permit.act, (permit,)), school_of(seen.state)
    known = [one for one in school.policies if one.decision is body.decision]
    starts_at = day_start(body.starts_on) if body.starts_on else seen.now
    if starts_at < seen.now:
        raise invalid("a policy can't start in the past: leave out starts_on to start now, or name a later day")
    last = max(known, key=lambda one: (one.starts_at, one.number), default=None)
    if last is not None and starts_at < last.starts_at:
        raise conflict(
            "a later version is planned already: start on its day to replace it, or after",
            number=last.number,
            starts_at=as_moment(last.starts_at),
        )
    rule_then = last.rule if last else PolicyRule.ALL_HOLDERS
    if rule_then is body.rule:
        raise conflict("this rule is set already: nothing is to be changed", number=last.number if last else 0)
    number = 1 + max((one.number for one in known), default=0)
    # The id follows from the number, and the school's row is written: of two at once the second decides anew.
    version = PolicyVersion(
        uuid5(school.id, f"policy:{body.decision}:{number}"), number, body.decision, body.rule, starts_at
    )
    values = {name: value for name, value in asdict(version).items() if name != "id"}
    draft.write("policy_version", version.id, 0, {**values, "set_by": asked.actor.id})
    draft.write("school_profile", school.id, school.version, {"wide": school.wide + 1})
    fact = PolicySet(policy=version.id, **values)
    draft.tell(fact, school.id, version.id)
    reply: dict[str, Any] = {"policy": str(version.id), "number": number, "revision": school.revision}
    if body.rule is PolicyRule.ALL_HOLDERS and starts_at == seen.now:
        reply |= draft.withdraws(asked.ids.time_ordered(seen.now), school.id, version.id)
    return draft.change(reply)


def decide_note_dispute(asked: Asked[NoteDispute], seen: Snapshot) -> Change:
    """Notes a dispute; what rested on one holder's yes alone stops in the same transaction."""
    permit = seen.require(asked, Action.PROPOSE, Category.NETWORK, about=asked.body.child)
    body, draft = asked.body, Draft(seen, permit.act, (permit,))
    child, school = children_of(seen.state)[body.child], school_of(seen.state)
    between = tuple(sorted(set(body.between)))
    holders = {
        one.holder for one in child.authorities if body.decision in one.scope and child.holding(one).holds(seen.now)
    }
    if len(between) < 2 or not set(between) <= holders:
        raise invalid(
            "a dispute is between two or more who decide in this matter now: see deciders", holders=len(holders)
        )
    if not _keeps(permit, child) and asked.actor.id not in between:
        raise invalid("name yourself among those who disagree: a dispute of others is for the school to note")
    if any(one.decision is body.decision and one.ends_at is None for one in child.disputes):
        raise conflict("a dispute in this matter is on record already: settle that one first")
    dispute = Dispute(asked.ids.time_ordered(seen.now), 1, body.decision, between, seen.now, None)
    values = {name: value for name, value in asdict(dispute).items() if name not in {"id", "version"}}
    draft.write("dispute", dispute.id, 0, {**values, "child": child.id, "note": body.note})
    fact = DisputeNoted(dispute=dispute.id, decision=body.decision, between=between, starts_at=seen.now)
    draft.tell(fact, child.id, dispute.id)
    draft.publish_child(replace(child, disputes=(*child.disputes, dispute)), school)
    reply = {"dispute": str(dispute.id), "version": 1, "revision": child.revision + 1}
    if body.decision is Decision.SHARING:
        reply |= draft.withdraws(asked.ids.time_ordered(seen.now), child.id, dispute.id)
    return draft.change(reply)


def decide_settle_dispute(asked: Asked[SettleDispute], seen: Snapshot) -> Change:
    """Ends a dispute; the school's rule applies again. For those who keep the records, not for who is in it."""
    permit = seen.require(asked, Action.PROPOSE, Category.NETWORK, about=asked.body.child)
    child, school = children_of(seen.state)[asked.body.child], school_of(seen.state)
    if not _keeps(permit, child):
        view, purpose = seen.views[permit.subject], asked.body.purpose
        raise access.denial(view, asked.actor, Action.PROPOSE, Category.NETWORK, purpose, "in_dispute_itself")
    body, draft = asked.body, Draft(seen, permit.act, (permit,))
    found = next((one for one in child.disputes if one.id == body.dispute), None)
    if found is None:
        raise invalid("there is no such dispute about this child: look it up with `samen policy deciders`")
    if found.version != body.version:
        raise stale(body.version, found.version)
    if found.ends_at is not None:
        raise conflict("this dispute is settled already: nothing is left to settle", version=found.version)
    ended = replace(found, ends_at=seen.now)
    draft.write("dispute", found.id, found.version, {"ends_at": seen.now})
    draft.tell(DisputeSettled(dispute=found.id, decision=found.decision, ends_at=seen.now), child.id, found.id)
    rest = tuple(ended if one.id == found.id else one for one in child.disputes)
    draft.publish_child(replace(child, disputes=rest), school)
    return draft.change({"dispute": str(found.id), "version": found.version + 1, "revision": child.revision + 1})


def decide_policies(asked: Asked[Policies], seen: Snapshot) -> Change:
    """Answers the rules that grants follow from, and the school's versions of how holders decide."""
    log = also(seen, asked, Action.VIEW, Category.LOG)
    permit = log or seen.require(asked, Action.VIEW, Category.NETWORK)
    policies = school_of(seen.state).policies
    tables = {
        "child": (*CHILD_RULES, *HOLDER_RULES, *WIDE_RULES, EMERGENCY_RULE, REVIEW_RULE),
        "school": SCHOOL_RULES,
    }
    result = {
        "version": POLICY_VERSION,
        "rules": {name: [_rule(rule) for rule in rules] for name, rules in tables.items()},
        "decisions": [_matter(decision, policies, seen) for decision in Decision],
    }
    return viewed("policies", permit.subject, permit.act, result, len(policies), (permit,))


def _rule(rule: TableRule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "roles": sorted(rule.roles),
        "standing": rule.standing.value,
        "actions": list(rule.actions),
        "categories": list(rule.categories),
        "purposes": list(rule.purposes),
        "basis": rule.basis.value,
    }


def _matter(decision: Decision, policies: tuple[PolicyVersion, ...], seen: Snapshot) -> dict[str, Any]:
    now = in_force(policies, decision, seen.now)
    versions = [
        {"number": one.number, "rule": one.rule.value, "starts_at": as_moment(one.starts_at)}
        for one in policies
        if one.decision is decision
    ]
    rule = now.rule if now else PolicyRule.ALL_HOLDERS
    return {"decision": decision.value, "rule": rule.value, "number": now.number if now else 0, "versions": versions}


def decide_deciders(asked: Asked[Deciders], seen: Snapshot) -> Change:
    """Answers who decides on what, by which rule, and disputes; notes only for those who keep them."""
    child_id = asked.body.child
    permit = seen.require(asked, Action.VIEW, Category.NETWORK, about=child_id)
    keeps = also(seen, asked, Action.PROPOSE, Category.NETWORK, child_id)
    child = children_of(seen.state)[child_id]
    notes = seen.state["notes"] if keeps is not None and _keeps(keeps, child) else {}
    result = {
        "child": str(child_id),
        "matters": [_deciding(decision, child, seen) for decision in Decision],
        "disputes": [
            {
                "dispute": str(one.id),
                "version": one.version,
                "decision": one.decision.value,
                "between": [str(holder) for holder in one.between],
                "starts_at": as_moment(one.starts_at),
                "ends_at": as_moment(one.ends_at),
                "note": notes.get(str(one.id)),
            }
            for one in child.disputes
        ],
        "withheld": [_silent(one) for one in child.withheld] if keeps is not None and _keeps(keeps, child) else [],
    }
    permits = (permit, keeps) if keeps else (permit,)
    return viewed("deciders", child_id, permit.act, result, len(Decision), permits)


def _silent(one: Withholding) -> dict[str, Any]:
    return {
        "withholding": str(one.id),
        "version": one.version,
        "guardian": str(one.guardian),
        "source": one.source,
        "starts_at": as_moment(one.starts_at),
        "ends_at": as_moment(one.ends_at),
    }


def _keeps(permit: Permit, child: Child) -> bool:
    """Tells whether it is given to someone of the school who is not of the family too."""
    return permit.act.actor not in {*child.guardians, child.id}


def _deciding(decision: Decision, child: Child, seen: Snapshot) -> dict[str, Any]:
    if decision is Decision.SHARING:
        holders = child.holders_at(seen.now)
    else:
        holders = frozenset(
            one.holder for one in child.authorities if decision in one.scope and child.holding(one).holds(seen.now)
        )
    version = in_force(child.policies, decision, seen.now)
    disputed = any(
        one.decision is decision and Span(one.starts_at, one.ends_at or FOREVER).holds(seen.now)
        for one in child.disputes
    )
    roles = {one.holder: one.role for one in child.authorities if child.holding(one).holds(seen.now)}
    return {
        "decision": decision.value,
        "holders": [
            {
                "holder": str(holder),
                "as": "self" if holder == child.id else roles.get(holder, HolderRole.PARENTAL).value,
                "name": _name(seen.state["persons"].get(str(holder))),
            }
            for holder in sorted(holders)
        ],
        "rule": child.rule_at(decision, seen.now).value,
        "number": version.number if version else 0,
        "disputed": disputed,
    }


def _name(person: dict[str, Any] | None) -> str | None:
    return f"{person['given_name']} {person['family_name']}" if person else None
