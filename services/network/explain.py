"""Why the policy says yes or no, in words. Pure, and from the same claims as the grants: there is no second copy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.network.consent_state import state_at
from services.network.grants import FORESEEN, Claim, claims
from services.network.model import Child, Membership, School
from services.network.policy import EXTERNAL, HOME, POLICY_VERSION, Standing
from services.network.safeguards import in_force
from services.network.spans import AMSTERDAM, FOREVER, Span
from shared.events.network import ConsentState, Decision, HolderRole, PolicyRule
from shared.events.words import Action, Category, Purpose, Role

RESTS_ON = {
    Standing.MEMBER: "taking part in that role",
    Standing.PLAN_AUTHORITY: "authority over the plan",
    Standing.SHARING_AUTHORITY: "authority over sharing, which parents have until the child is 16",
    Standing.NO_AUTHORITY: "being a guardian without authority over the plan, until the child is 18",
    Standing.DECIDES_SELF: "being the child itself, 16 or older",
    Standing.CONSENTS_SELF: "being the child itself, 16 or older, while no curator or mentor decides on sharing",
    Standing.PLAN_ALONE: "authority over the plan alone, while taking no part as a guardian",
    Standing.SHARING_ALONE: (
        "authority over sharing alone, which parents have until the child is 16, while taking no part as a guardian"
    ),
    Standing.CONSENT: "a consent that is in force",
    Standing.EMERGENCY: "emergency access that lasts",
    Standing.REVIEW: "an emergency of someone else that waits for its review",
}
STATES = {
    ConsentState.ASKED: "an answer that is needed is not there",
    ConsentState.GIVEN: "it is given",
    ConsentState.REFUSED: "it is refused",
    ConsentState.WITHDRAWN: "it is withdrawn",
    ConsentState.CONFLICTING: "those who decide disagree, so nothing is shared on it",
}
RULES = {
    PolicyRule.ALL_HOLDERS: "everyone who decides must say yes",
    PolicyRule.ONE_UNLESS_OBJECTION: "one yes is enough as long as nobody who decides objects",
}


@dataclass(frozen=True, slots=True)
class Question:
    """May `who` do `action` on `category` of the child's data, for `purpose`, at `at`?"""

    who: UUID
    action: Action
    category: Category
    purpose: Purpose
    at: datetime


@dataclass(frozen=True, slots=True)
class Reason:
    """One fact that counted: of which kind, whether it speaks for a yes, and in words."""

    kind: str
    holds: bool
    words: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer, with what led to it."""

    allowed: bool
    reasons: tuple[Reason, ...]


def explain(child: Child, school: School, asked: Question, *, discreet: bool = False) -> Explanation:
    """Returns yes or no, exactly as the grants would say it, with the facts that led to it.

    `discreet`: of a consent only whether it is in force, not who disagrees or disputes: for who is not of the house.
    """
    child = replace(child, veil=asked.at + FORESEEN)
    found = [claim for claim in claims(child, school) if claim.membership.person == asked.who]
    fitting = [claim for claim in found if _fits(claim, asked)]
    allowed = any(span.holds(asked.at) for claim in fitting for span in claim.spans)
    members = [one for one in (*child.memberships, *school.memberships) if one.person == asked.who]
    reasons = [_member(one, child, asked.at) for one in members]
    if not members:
        reasons.append(Reason("membership", holds=False, words="Takes no part round this child or in the school."))
    guards = _guards(members) or any(one.holder == asked.who for one in child.authorities)
    reasons += [_authority(child, asked, one) for one in (Decision.PLAN, Decision.SHARING) if guards]
    reasons += _consents(child, members, asked, discreet=discreet)
    reasons += [_claim(claim, asked) for claim in fitting]
    reasons += _near(found, asked) if not fitting else []
    if not allowed and _reads_consents(child, asked):
        words = "But what consent is asked for about this child, and who it is for, they may see by their authority."
        reasons.append(Reason("authority", holds=True, words=words))
    if asked.category is Category.CONTACT and asked.who in child.guardians:
        words = "Is or was a guardian of this child: contact data round it is closed to guardians, in whatever role."
        reasons.append(Reason("guardian", holds=False, words=words))
    reasons += _withheld(child, asked, discreet=discreet)
    reasons.append(Reason("tables", holds=allowed, words=f"Decided by version {POLICY_VERSION} of the rules."))
    return Explanation(allowed, tuple(reasons))


def _fits(claim: Claim, asked: Question) -> bool:
    rule = claim.rule
    return asked.action in rule.actions and asked.category in rule.categories and asked.purpose in rule.purposes


def _reads_consents(child: Child, asked: Question) -> bool:
    """Tells whether authority alone lets them read consents, which takes no grant (`authority.holder_act`)."""
    about = asked.action is Action.VIEW and asked.category is Category.NETWORK and asked.purpose in HOME
    return about and any(span.holds(asked.at) for span in child.sharing_spans(asked.who))


def _guards(members: list[Membership]) -> bool:
    return any(one.role is Role.GUARDIAN for one in members)


def _member(one: Membership, child: Child, at: datetime) -> Reason:
    where = "round this child" if one.subject == child.id else "in the school itself"
    return Reason(
        "membership", one.span.holds(at), f"Takes part {where} as {_words(one.role)}, {_period(one.span, at)}."
    )


def _authority(child: Child, asked: Question, decision: Decision) -> Reason:
    held = [one for one in child.authorities if one.holder == asked.who and decision in one.scope]
    for one in held:
        if child.holding(one).holds(asked.at):
            kind = "parental authority" if one.role is HolderRole.PARENTAL else f"authority as {one.role.value}"
            words = f"Has {kind} over {decision.value} (source {one.source}), {_period(one.span, asked.at)}."
            return Reason("authority", holds=True, words=words)
    why = "what was on record does not hold at that moment" if held else "none is on record"
    return Reason("authority", holds=False, words=f"Has no authority over {decision.value}: {why}.")


def _withheld(child: Child, asked: Question, *, discreet: bool) -> list[Reason]:
    reasons = []
    for one in child.withheld:
        span = Span(one.starts_at, one.ends_at or FOREVER)
        if one.guardian == asked.who and span.holds(asked.at):
            by = "the school can say why" if discreet else f"source {one.source}, {_period(span, asked.at)}"
            words = f"Information about this child is withheld from this person, in whatever role: {by}."
            reasons.append(Reason("withheld", holds=False, words=words))
    return reasons


def _consents(child: Child, members: list[Membership], asked: Question, *, discreet: bool) -> list[Reason]:
    outside = [one for one in members if one.role in EXTERNAL]
    reasons = []
    for consent in child.consents:
        if not any(consent.is_for(one) for one in outside):
            continue
        state = state_at(consent, child, asked.at)
        rule = child.rule_at(Decision.SHARING, asked.at)
        version = in_force(child.policies, Decision.SHARING, asked.at)
        by = f"version {version.number} of the school's policy" if version else "the default policy"
        if version is not None and rule is not version.rule:
            by = f"a dispute on record, which suspends version {version.number} of the school's policy"
        holds = state is ConsentState.GIVEN and consent.span.holds(asked.at)
        words = (
            f"Consent {consent.id} version {consent.version}, for {_words(consent.for_purpose)}, on "
            f"{_listed(consent.categories)}, {_period(consent.span, asked.at)}: "
        )
        words += (
            f"it is {'' if holds else 'not '}in force." if discreet else f"{STATES[state]}; by {by}, {RULES[rule]}."
        )
        reasons.append(Reason("consent", holds, words))
    if outside and not reasons:
        reasons.append(Reason("consent", holds=False, words="From outside the school: no consent names this member."))
    return reasons


def _claim(claim: Claim, asked: Question) -> Reason:
    holds = any(span.holds(asked.at) for span in claim.spans)
    rule = claim.rule
    name = "consent" if claim.consent else rule.name.partition("-")[0] if claim.emergency else rule.name
    verdict = "it is there at that moment" if holds else "it is not there at that moment"
    words = (
        f"Rule {name} allows this to {_words(claim.membership.role)} and rests on {RESTS_ON[rule.standing]}: {verdict}."
    )
    if claim.emergency is not None:
        one = claim.emergency
        outcome = f"reviewed as {_words(one.outcome)}" if one.outcome else "not reviewed yet"
        words += f" Emergency {one.id}, {_period(Span(one.starts_at, one.ends_at), asked.at)}, {outcome}."
    return Reason("rule", holds, words)


def _near(found: list[Claim], asked: Question) -> list[Reason]:
    """Yields what is closest to an answer when no rule allows it for any standing."""
    purposes = sorted(
        {
            purpose
            for claim in found
            if asked.action in claim.rule.actions and asked.category in claim.rule.categories
            for purpose in claim.rule.purposes
        }
    )
    if purposes:
        words = f"Not for {_words(asked.purpose)}: rules allow this for {_listed(purposes)} only."
    else:
        words = f"No rule that concerns this person allows {asked.action.value} on {_words(asked.category)}."
    return [Reason("rule", holds=False, words=words)]


def _words(code: str) -> str:
    return str(code).replace("_", " ")


def _listed(codes: Iterable[str]) -> str:
    return ", ".join(_words(code) for code in codes)


def _period(span: Span, at: datetime) -> str:
    since = f"from {_day(span.since)}"
    until = "" if span.until == FOREVER else f" until {_day(span.until)}"
    note = " (has not begun)" if at < span.since else " (is over)" if at >= span.until else ""
    return f"{since}{until}{note}"


def _day(moment: datetime) -> str:
    return moment.astimezone(AMSTERDAM).strftime("%Y-%m-%d %H:%M")
