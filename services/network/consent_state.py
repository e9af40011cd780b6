"""How a consent stands at a moment, by who decides then and what they answered. Pure."""

from __future__ import annotations

from datetime import datetime

from services.network.model import DECIDES_AT, OF_AGE_AT, AnswerKind, Child, Consent
from services.network.spans import FOREVER, Span, joined
from shared.events.network import ConsentState, Decision, PolicyRule


def state_at(consent: Consent, child: Child, at: datetime) -> ConsentState:
    """Returns how a consent stands at `at`, by who decides then and by which rule.

    Given: every holder said yes or, under `one_unless_objection`, one did. A no or a yes taken back stops it always.
    """
    holders = child.holders_at(at)
    said = {answer.holder: answer.answer for answer in consent.answers if answer.holder in holders}
    kinds = set(said.values())
    if AnswerKind.REFUSED in kinds:
        return ConsentState.CONFLICTING if AnswerKind.GIVEN in kinds else ConsentState.REFUSED
    if AnswerKind.WITHDRAWN in kinds:
        return ConsentState.WITHDRAWN
    if said and (len(said) == len(holders) or _one_suffices(child, at)):
        return ConsentState.GIVEN
    return ConsentState.ASKED


def _one_suffices(child: Child, at: datetime) -> bool:
    return child.rule_at(Decision.SHARING, at) is PolicyRule.ONE_UNLESS_OBJECTION


def turns(consent: Consent, child: Child) -> list[datetime]:
    """Returns the moments of the consent's period at which it may come to stand differently by itself, in order."""
    edges = {consent.starts_at, child.reaches(DECIDES_AT), child.reaches(OF_AGE_AT)}
    edges |= {one.starts_at for one in child.policies if one.decision is Decision.SHARING}
    edges |= {edge for one in child.authorities for edge in (one.starts_at, one.ends_at or FOREVER)}
    edges |= {edge for one in child.disputes for edge in (one.starts_at, one.ends_at or FOREVER)}
    return sorted(edge for edge in edges if consent.span.holds(edge))


def given_spans(consent: Consent, child: Child) -> list[Span]:
    """Returns when the consent holds, as its answers stand now: who decides changes with time, so it may have gaps."""
    starts = turns(consent, child)
    spans = []
    for since, until in zip(starts, [*starts[1:], consent.ends_at], strict=False):
        if state_at(consent, child, since) is ConsentState.GIVEN:
            holders = child.holders_at(since)
            yes = [answer.at for answer in consent.answers if answer.holder in holders]
            enough = min(yes) if _one_suffices(child, since) else max(yes)
            spans.append(Span(max(since, enough), until))
    return joined(spans)
