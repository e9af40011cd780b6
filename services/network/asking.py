"""What a request for consent is about: its bodies, which consents they mean, and the one that they would make. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from services.network.draft import as_moment
from services.network.members import conflict, invalid
from services.network.model import AnswerKind, Child, Consent
from services.network.policy import EXTERNAL
from services.network.spans import day_start
from services.network.times import renewable_from
from shared.events.network import ConsentState, RecipientKind
from shared.events.words import Category, Purpose
from shared.text import Day
from shared.unit import Asked, Request, Snapshot, stale

RENEWED_AFTER = timedelta(days=365)
"""A consent without an end of its own asks to be renewed after a year."""

NEVER_SHARED = {Category.LOG, Category.NETWORK}


def _shareable(categories: tuple[Category, ...]) -> tuple[Category, ...]:
    if NEVER_SHARED & set(categories):
        msg = "holds a category that nobody can consent to share: leave out log and network"
        raise ValueError(msg)
    return tuple(sorted(set(categories)))


Categories = Annotated[tuple[Category, ...], Field(min_length=1, max_length=16), AfterValidator(_shareable)]
SHAREABLE_FOR = (Purpose.GUIDANCE, Purpose.CARE_COORDINATION, Purpose.TRANSFER, Purpose.LOCAL_TOOL, Purpose.INSIGHT)


class Named(Request):
    """Which consent: child, purpose it is for, recipient and categories name it."""

    child: UUID
    for_purpose: Purpose
    recipient_kind: RecipientKind = RecipientKind.MEMBER
    recipient: UUID
    categories: Categories
    version: int | None = None
    """The version seen, when there was one: another version now is then a lost update."""


class AskConsent(Named):
    """Asks the holders. `ends_on` is the first day on which it no longer holds; None: a year after the start.

    Of one that is given, in its last six weeks, it asks for the renewal, which starts when that one ends.
    """

    notice_version: int = Field(ge=1, le=1_000_000)
    starts_on: Day | None = None
    ends_on: Day | None = None


class GiveConsent(AskConsent):
    """Says yes, as read in that version of the notice; when nobody asked, the period is taken from here."""


class RefuseConsent(Named):
    """Says no to it. While one is given and its renewal asked, the no is to the renewal: withdraw takes back both."""

    notice_version: int | None = None


class WithdrawConsent(Named):
    """Takes a yes back. As easy as giving: nothing but the consent needs to be named."""

    notice_version: int | None = None


def same_name(body: Named, child: Child) -> list[Consent]:
    """Returns the consents of this name, the eldest first."""
    name = (body.for_purpose, body.recipient, body.categories)
    found = [one for one in child.consents if (one.for_purpose, one.recipient, one.categories) == name]
    return sorted(found, key=lambda one: (one.starts_at, one.id))


def standing(same: list[Consent], now: datetime) -> list[Consent]:
    """Returns those whose time is not over: the present one, and its renewal where that is under way."""
    return [one for one in same if one.ends_at > now]


def last_of(same: list[Consent]) -> Consent | None:
    """Returns the one that none carries on: the latest, also where their time ended together."""
    carried_on = {one.renews for one in same}
    return next((one for one in reversed(same) if one.id not in carried_on), None)


def check_version(body: Named, *meant: Consent) -> None:
    """Raises a Problem when another version was seen than any of those meant has."""
    if body.version is not None and body.version not in {one.version for one in meant}:
        raise stale(body.version, meant[0].version)


def _check_notice(body: AskConsent, seen: Snapshot, before: Consent | None) -> None:
    """Raises a Problem for a notice that nobody can have read, or that is older than the one before."""
    published = seen.state["notices"]
    if published and body.notice_version not in published:
        raise invalid("this school has published no notice with that version: choose one of allowed", allowed=published)
    if before is not None and body.notice_version < before.notice_version:
        raise conflict(
            "this consent was asked with a newer notice already: name that version, or a later one",
            notice_version=before.notice_version,
        )


def _check_recipient(body: AskConsent, seen: Snapshot, child: Child) -> None:
    if body.for_purpose not in SHAREABLE_FOR:
        raise invalid("nobody shares by consent for this purpose: choose one of allowed", allowed=list(SHAREABLE_FOR))
    if body.recipient_kind is RecipientKind.ORGANISATION:
        known = bool(seen.state["organisation_known"])
    else:
        known = any(
            one.person == body.recipient and one.role in EXTERNAL and one.is_open(seen.now) for one in child.memberships
        )
    if not known:
        raise invalid("the recipient takes no part here from outside the school: add that member or organisation first")


def new_consent(
    asked: Asked[AskConsent] | Asked[GiveConsent],
    seen: Snapshot,
    child: Child,
    place: Consent | None = None,
    renews: Consent | None = None,
) -> Consent:
    """Returns a consent to be answered, with the version that is stored: 0 when it is not.

    `place`: the one that is asked anew, `renews`: the one that stands until this one starts. A no to either, or a yes
    taken back, goes on in it until that holder answers differently; a yes does not.
    """
    body, before = asked.body, place or renews
    _check_notice(body, seen, before)
    _check_recipient(body, seen, child)
    since = renews.ends_at if renews else seen.now
    starts_at = day_start(body.starts_on) if body.starts_on else since
    if renews and starts_at < since:
        detail = "the present consent holds until then: leave starts_on out, or name a later day"
        raise invalid(detail, until=as_moment(since))
    consent = Consent(
        id=place.id if place else asked.ids.time_ordered(seen.now),
        version=place.version if place else 0,
        child=child.id,
        for_purpose=body.for_purpose,
        recipient_kind=body.recipient_kind,
        recipient=body.recipient,
        categories=body.categories,
        notice_version=body.notice_version,
        starts_at=starts_at,
        ends_at=day_start(body.ends_on) if body.ends_on else starts_at + RENEWED_AFTER,
        state=ConsentState.ASKED,
        answers=tuple(one for one in before.answers if one.answer is not AnswerKind.GIVEN) if before else (),
        renews=place.renews if place else renews.id if renews else None,
    )
    if not consent.span or consent.ends_at <= seen.now:
        raise invalid("it would be over before it starts: ends_on must lie after starts_on and after today")
    return consent


def next_consent(asked: Asked[AskConsent] | Asked[GiveConsent], seen: Snapshot, child: Child) -> Consent:
    """Returns what comes after those of this name that are over or given: a first one, one more time, or a renewal."""
    same = same_name(asked.body, child)
    there = standing(same, seen.now)
    latest = last_of(same)
    last = there[-1] if there else latest
    if last is not None:
        check_version(asked.body, last)
    if not there or last is None:
        return new_consent(asked, seen, child, latest)
    if seen.now < renewable_from(last):
        raise conflict(
            "it is given already and stands: it can be renewed in its last six weeks, from renew_from on",
            state=ConsentState.GIVEN.value,
            version=last.version,
            renew_from=as_moment(renewable_from(last)),
        )
    over = latest if latest is not last else None  # its renewal ended before it began: asked one more time
    return new_consent(asked, seen, child, over, last)
