"""What a person wants of notices: language, hours, and how soon which kind comes through which channel.

One's own matter: no grant is asked, and nobody else reads or sets it. What is urgent takes no notice of it. A
whole channel is stopped elsewhere (addresses), and then all of it lies in the inbox.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, field_validator

from services.notifications.model import ALWAYS
from services.notifications.own import own_act
from services.notifications.replies import Language, PreferencesReply, PreferencesSetReply
from services.notifications.rules import BY_KIND, is_fixed
from services.notifications.times import Pace, Quiet, Times, Usual, read_usual
from shared.db import encode
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent, Viewed
from shared.events.notifications import Channel, PreferencesSet
from shared.events.words import Action, school_subject
from shared.text import Code
from shared.unit import Asked, Change, Endpoint, Query, Request, Row, Snapshot, stale


class Paced(BaseModel):
    """How soon one kind of notice (or `all`) comes through one channel."""

    model_config = Request.model_config
    kind: Code
    channel: Channel
    pace: Pace


class Preferences(BaseModel):
    """A person's own settings; None: as the school or else the foundation has it."""

    model_config = Request.model_config
    language: Language | None = None
    quiet: str | None = None
    """`21:00-07:00`, or `none`."""
    digest_at: Annotated[int, Field(ge=0, le=23)] | None = None
    digest_on: Annotated[int, Field(ge=1, le=7)] | None = None
    days_off: bool | None = None
    """Nothing on the school's days off; None: as the school has it, else so for who works there and not for others."""
    paces: Annotated[tuple[Paced, ...], Field(max_length=400)] = ()

    @field_validator("quiet")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                return str(Quiet.read(value) or "none")
            except ValueError:
                msg = "must be two times of the day as 21:00-07:00, or none"
                raise ValueError(msg) from None
        return None

    def pace(self, kind: str, channel: Channel) -> Pace | None:
        """Returns how soon this kind comes through the channel; None: the person has not said.

        Off does not count for the mails of what the law or safety wants told.
        """
        for name in (kind, "all"):
            for one in self.paces:
                if (one.kind, one.channel) == (name, channel):
                    return None if one.pace is Pace.OFF and always_comes(kind, channel) else one.pace
        return None

    def times(self, usual: Usual, *, works_here: bool) -> Times:
        """Returns the person's hours, `usual` where it has set nothing; `works_here`: not as a parent or the child."""
        school = works_here if usual.days_off is None else usual.days_off
        return Times(
            usual.quiet if self.quiet is None else Quiet.read(self.quiet),
            usual.digest_at if self.digest_at is None else self.digest_at,
            usual.digest_on if self.digest_on is None else self.digest_on,
            school if self.days_off is None else self.days_off,
        )


def always_comes(kind: str, channel: Channel) -> bool:
    """Tells whether nobody can switch this kind off for this channel: by mail, what the law or safety wants told."""
    return channel in ALWAYS and is_fixed(kind)


def read_preferences(settings: object) -> Preferences:
    """Returns what table `preference` keeps; None: the person has set nothing.

    What can't be read (a newer version wrote it) counts as nothing set: one person's wishes must not hold up a school.
    """
    try:
        return NOTHING_SET if settings is None else Preferences.model_validate_json(encode(settings))
    except ValidationError:
        return NOTHING_SET


NOTHING_SET = Preferences()


class SetPreferences(Request):
    """Sets the asking person's preferences, whole. `version` is theirs as seen, 0 when none were set."""

    version: Annotated[int, Field(ge=0, lt=2**31)]
    preferences: Preferences


class OwnPreferences(Query):
    """The asking person's preferences."""


def decide_set(asked: Asked[SetPreferences], seen: Snapshot) -> Change:
    """Sets the preferences; what waits already is weighed by them when its time comes."""
    body, found = asked.body, seen.state["preference"]
    version = found["version"] if found else 0
    if body.version != version:
        raise stale(body.version, version)
    if unknown := sorted({one.kind for one in body.preferences.paces} - BY_KIND.keys() - {"all"}):
        raise Problem(
            ProblemType.INVALID, f"paces: there is no such kind of notice: {', '.join(unknown)}", field="paces"
        )
    if fixed := sorted(
        {one.kind for one in body.preferences.paces if one.pace is Pace.OFF and always_comes(one.kind, one.channel)}
    ):
        raise Problem(
            ProblemType.INVALID,
            f"paces: the law or safety wants you told of {', '.join(fixed)}: choose now, daily or weekly for mail",
            field="paces",
        )
    settings = body.preferences.model_dump(mode="json", exclude_none=True)
    row = Row("preference", asked.actor.id, version, {"settings": settings, "set_at": seen.now})
    fact = PreferencesSet(recipient=asked.actor.id, version=version + 1)
    event = NewEvent(fact, school_subject(asked.school), own_act(asked, Action.MANAGE))
    return Change(permits=(), events=(event,), rows=(row,), reply={"version": version + 1})


def told_of(usual: Usual) -> dict[str, Any]:
    """Returns what holds in a school as it is answered; `number` 0: the school has set nothing."""
    return {
        "quiet": str(usual.quiet or "none"),
        "digest_at": usual.digest_at,
        "digest_on": usual.digest_on,
        "days_off": usual.days_off,
        "number": usual.number,
    }


def decide_show(asked: Asked[OwnPreferences], seen: Snapshot) -> Change:
    """Answers the person's preferences, and what holds where nothing is set."""
    found = seen.state["preference"]
    fact = Viewed(query="preferences", things=1 if found else 0)
    event = NewEvent(fact, school_subject(asked.school), own_act(asked, Action.VIEW), producer="notifications")
    result = {
        "version": found["version"] if found else 0,
        "preferences": read_preferences(found and found["settings"]).model_dump(mode="json"),
        "else": told_of(read_usual(seen.state["hours"])),
        "stopped": seen.state["stops"],
        "always": sorted(kind for kind in BY_KIND if is_fixed(kind)),
    }
    return Change(permits=(), events=(event,), result=result)


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("set-preferences", SetPreferences, "read_preference", decide_set, PreferencesSetReply),
    Endpoint("preferences", OwnPreferences, "read_preference", decide_show, PreferencesReply),
)
