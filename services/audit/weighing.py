"""Weighs published grants against the facts: does each rest on what was told of members, authority and consent? Pure.

The second layer of the judge, written apart from network's policy: for each basis a ceiling that no grant in a role may
exceed, and the facts that must be there for all of the grant's time. What thin events do not carry is not derived:
the ages at which a young person decides (no day of birth is told), the start of a mandate, and whether somebody should
have had a grant that nobody gave. A grant that should not be there is found; one that is missing is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.audit.ceilings import CEILINGS, REVIEWERS, Ceiling
from services.audit.facts import FOREVER, Asked, Facts, Rule, Span
from services.audit.judged import Finding, Published, words
from shared.events.network import Capacity, Decision, Grant, HolderRole, PolicyRule, RecipientKind
from shared.events.words import Category, Role

SKEW = timedelta(seconds=10)
"""Domain time runs ahead of the clock in a demo only; how far is known to a few seconds from each event."""
KNOWN_LATE = timedelta(seconds=60)
"""Grants on a child follow the school's own changes a moment later: what was told just before may be missing."""

REACH_ALL = {Role.SCHOOL_ADMINISTRATOR, Role.AUDITOR} | REVIEWERS
"""Members of the school itself who may have grants on its children; reviewers while an emergency waits."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """One grant of one set, in domain time, with the facts of its subject and of the school as told before it."""

    grant: Grant
    published: Published
    facts: Facts
    school: Facts
    on_school: bool
    span: Span
    slack: timedelta

    def within(self, spans: Iterable[Span]) -> bool:
        """Tells whether one of these, joined where they meet, covers all of the grant's time."""
        since = until = None
        for one in sorted(spans, key=lambda one: one.since):
            if until is None or one.since > until:
                since = one.since
                until = one.until
            else:
                until = max(until, one.until)
            if since is not None and since <= self.span.since + self.slack and self.span.until <= _later(until, self):
                return True
        return False


def _later(moment: datetime, weighing: Weighing) -> datetime:
    return moment if moment == FOREVER else moment + weighing.slack


def _earlier(moment: datetime, weighing: Weighing) -> datetime:
    return moment if moment == FOREVER else moment - weighing.slack


def weigh(published: Published, facts: Facts, school: Facts, *, on_school: bool) -> Iterator[Finding]:
    """Yields the grants of a set that do not rest on what was told up to it."""
    ahead = published.happened_at - published.at
    shift, slack = (ahead, SKEW) if abs(ahead) > SKEW else (timedelta(), timedelta())
    for grant in published.grants.values():
        until = grant.valid_until + shift if grant.valid_until else FOREVER
        span = Span(grant.valid_from + shift, until)
        weighing = Weighing(grant, published, facts, school, on_school, span, slack)
        code = _wrong(weighing)
        if code is not None:
            yield Finding(published.idx, code, grant.model_dump(mode="json"), _basis_of(weighing))


def _wrong(one: Weighing) -> str | None:
    fitting = [c for c in CEILINGS if c.on_school in {None, one.on_school} and c.holds(one.grant)]
    if not fitting:
        return "grant_beyond_role"
    if Category.CONTACT in one.grant.categories and not one.on_school and _is_guardian(one):
        return "contact_of_guardian"
    if _is_withheld(one):
        return "grant_while_withheld"
    codes = [code for ceiling in fitting if (code := _unsupported(one, ceiling)) is None or code]
    return None if None in codes else codes[0]


def _is_guardian(one: Weighing) -> bool:
    """Tells whether the member is or was a guardian of the child: such a one has contact data in no role at all."""
    return any(part.member == one.grant.member and part.role is Role.GUARDIAN for part in one.facts.parts.values())


def _is_withheld(one: Weighing) -> bool:
    """Tells whether for some of the grant's time nothing of the child was to be told to its member."""
    return any(
        member == one.grant.member
        and max(span.since, one.span.since) + one.slack < _earlier(min(span.until, one.span.until), one)
        for member, span in one.facts.withheld.values()
    )


def _unsupported(one: Weighing, ceiling: Ceiling) -> str | None:
    """Returns what is missing under a grant, as a code; None: nothing."""
    needs = ceiling.needs
    if needs == "emergency":
        return None if _has_emergency(one) else "grant_without_emergency"
    if not ceiling.alone and not _has_part(one):
        return "grant_without_membership"
    if needs in {"plan", "sharing"} and not _has_authority(one, Decision(needs)):
        return "grant_without_authority"
    if needs == "self" and one.grant.member != one.published.about:
        return "grant_without_self"
    if needs == "review" and not _has_review(one):
        return "grant_without_emergency"
    if needs == "consent" and not _has_consent(one):
        return "grant_without_consent"
    return None


def _has_part(one: Weighing) -> bool:
    grant = one.grant

    def parts(facts: Facts, known_at: datetime) -> list[Span]:
        return [
            part.span(known_at)
            for part in facts.parts.values()
            if (part.member, part.role, part.organisation) == (grant.member, grant.role, grant.organisation)
        ]

    spans = parts(one.facts, FOREVER)
    if not one.on_school and grant.role in REACH_ALL:
        spans += parts(one.school, one.published.at - KNOWN_LATE)
    return any(one.within([span]) for span in spans)


def _has_authority(one: Weighing, decision: Decision) -> bool:
    holdings = one.facts.holdings.values()
    return one.within(h.span for h in holdings if h.holder == one.grant.member and decision in h.scope)


def _has_emergency(one: Weighing) -> bool:
    return one.grant.emergency and any(
        glass.member == one.grant.member
        and glass.role is one.grant.role
        and glass.categories.issuperset(one.grant.categories)
        and one.within([Span(glass.starts_at, glass.ends_at)])
        for glass in one.facts.glasses.values()
    )


def _has_review(one: Weighing) -> bool:
    return any(
        glass.member != one.grant.member and not glass.reviewed and one.within([Span(glass.starts_at)])
        for glass in one.facts.glasses.values()
    )


def _has_consent(one: Weighing) -> bool:
    grant = one.grant
    found = one.facts.consents.get(grant.consent) if grant.consent else None
    if found is None or found.version != grant.consent_version:
        return False
    recipient = grant.member if found.recipient_kind is RecipientKind.MEMBER else grant.organisation
    named = recipient == found.recipient and set(grant.purposes) <= {found.purpose}
    if not named or not found.categories.issuperset(grant.categories) or not one.within([found.span]):
        return False
    # A rule that was set a moment before may not be in these grants yet.
    rules = one.school.rules
    known = [rule for rule in rules if rule.told_at <= one.published.at - KNOWN_LATE]
    return any(all(_is_given(found, one.facts, some, at) for at in _turns(one, some)) for some in (rules, known))


def _turns(one: Weighing, rules: list[Rule]) -> list[datetime]:
    """Returns the grant's start, and the moments in it at which others may decide or by another rule."""
    edges = {h.span.since for h in one.facts.holdings.values()} | {h.span.until for h in one.facts.holdings.values()}
    edges |= {edge for _, span in one.facts.disputes.values() for edge in (span.since, span.until)}
    edges |= {rule.starts_at for rule in rules}
    start = one.span.since + one.slack
    return [start, *(edge for edge in edges if start < edge < one.span.until - one.slack)]


def _is_given(asked: Asked, facts: Facts, rules: list[Rule], at: datetime) -> bool:
    """Tells whether those who decide at `at` said yes, as far as that can be known without a day of birth."""
    own = [answer.kind for answer in asked.answers.values() if answer.capacity is Capacity.SELF]
    sharing = [h for h in facts.holdings.values() if Decision.SHARING in h.scope]
    if any(h.role is not HolderRole.PARENTAL for h in sharing):
        return "given" in {answer.kind for answer in asked.answers.values()}  # from 18; when that is is not told
    if own:
        return own == ["given"]
    holders = {h.holder for h in sharing if h.span.holds(at)}
    kinds = [asked.answers[one].kind for one in holders if one in asked.answers]
    if not kinds or set(kinds) != {"given"}:
        return False
    return len(kinds) == len(holders) or _one_suffices(facts, rules, at)


def _one_suffices(facts: Facts, rules: list[Rule], at: datetime) -> bool:
    begun = [one for one in rules if one.decision is Decision.SHARING and one.starts_at <= at]
    newest = max(begun, key=lambda one: (one.starts_at, one.number), default=None)
    disputed = any(decision is Decision.SHARING and span.holds(at) for decision, span in facts.disputes.values())
    return newest is not None and newest.rule is PolicyRule.ONE_UNLESS_OBJECTION and not disputed


def _basis_of(one: Weighing) -> dict[str, object]:
    """Returns what the log says of what such a grant rests on, as codes, ids and moments."""
    grant, facts = one.grant, one.facts
    known = one.published.shows() | {"domain_from": one.span.since.isoformat()}
    parts = [p for f in (facts, one.school) for p in f.parts.values() if p.member == grant.member]
    known["memberships"] = [f"{p.role.value} {p.span().since.isoformat()}..{p.span().until.isoformat()}" for p in parts]
    held = [h for h in facts.holdings.values() if h.holder == grant.member]
    known["authorities"] = [f"{','.join(words(h.scope))} until {h.span.until.isoformat()}" for h in held]
    if grant.consent is not None and (asked := facts.consents.get(grant.consent)):
        answers = {str(who): answer.kind for who, answer in asked.answers.items()}
        known["consent"] = {"version": asked.version, "categories": words(asked.categories), "answers": answers}
    return known
