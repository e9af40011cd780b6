"""Channels that a school sets up itself: an Apprise URL with a place for the member's own part.

The URL holds secrets. It is sealed before it is stored, opened only to send, never shown or logged; who forgot it sets
it anew.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.notifications.channel_settings import channel_settings, keyring
from services.notifications.replies import OutletReply, OutletsReply
from services.notifications.schemes import TARGET, scheme_of
from shared.access import Permit
from shared.errors import Problem, ProblemType
from shared.events.base import NewEvent, Viewed
from shared.events.notifications import OutletRemoved, OutletSet
from shared.events.words import Action, Category, school_subject
from shared.text import Code
from shared.unit import Asked, Change, Endpoint, Query, Request, Row, Snapshot, stale

OUTLET = "outlet"


class Outlets(Query):
    """The school's own channels, without what is secret in them. `about` is the school's own subject."""

    about: UUID


class SetOutlet(Request):
    """Sets up a channel under a name, or replaces how it is reached (`version` 0: it is new)."""

    about: UUID
    name: Code
    version: Annotated[int, Field(ge=0)]
    url: Annotated[str, Field(min_length=8, max_length=1024)]


class RemoveOutlet(Request):
    """Takes a channel away: nothing goes through it any more."""

    about: UUID
    name: Code
    version: Annotated[int, Field(ge=1)]


def decide_outlets(asked: Asked[Outlets], seen: Snapshot) -> Change:
    """Shows what those who keep the school's records have set up."""
    permit = _require(asked, seen, Action.VIEW)
    outlets = [{k: one[k] for k in ("id", "name", "version", "scheme")} for one in seen.state["outlets"]]
    event = NewEvent(Viewed(query="outlets", things=len(outlets)), permit.subject, permit.act, producer="notifications")
    result = {"outlets": outlets, "schemes": sorted(channel_settings().other_schemes)}
    return Change(permits=(permit,), events=(event,), result=result)


def decide_set(asked: Asked[SetOutlet], seen: Snapshot) -> Change:
    """Keeps the URL sealed."""
    permit, body = _require(asked, seen, Action.MANAGE), asked.body
    keys, scheme = keyring(), scheme_of(body.url)
    if keys is None:
        raise Problem(ProblemType.UNAVAILABLE, "no secret is set up to seal it with: ask the operators")
    if scheme is None:
        detail = f"this is no Apprise URL with one {TARGET} for the person's own part"
        raise Problem(ProblemType.INVALID, detail, field="url")
    if scheme not in channel_settings().other_schemes:
        allowed = ", ".join(sorted(channel_settings().other_schemes))
        raise Problem(ProblemType.INVALID, f"{scheme} is not allowed here: choose one of {allowed}", field="url")
    old = _found(seen, body.name)
    if body.version != (old["version"] if old else 0):
        raise stale(body.version, old["version"] if old else 0)
    if old and old["scheme"] != scheme:
        detail = "through another service the members' parts mean something else: remove the outlet and set a new one"
        raise Problem(ProblemType.CONFLICT, detail, scheme=old["scheme"])
    found = UUID(old["id"]) if old else asked.ids.time_ordered(seen.clock)
    sealed = keys.seal(OUTLET, body.url, asked.ids.pseudonym().bytes, asked.school)
    values = {"scheme": scheme, "sealed": sealed} | ({} if old else {"name": body.name})
    row = Row("outlet", found, body.version, values)
    event = NewEvent(OutletSet(outlet=found, scheme=scheme), permit.subject, permit.act, thing=found)
    reply = {"outlet": str(found), "version": body.version + 1, "state": "set"}
    return Change(permits=(permit,), events=(event,), rows=(row,), reply=reply)


def decide_remove(asked: Asked[RemoveOutlet], seen: Snapshot) -> Change:
    """Takes it away; addresses that went through it are left where they are, and reach nothing."""
    permit, body = _require(asked, seen, Action.MANAGE), asked.body
    old = _found(seen, body.name)
    if old is None:
        raise Problem(ProblemType.CONFLICT, "the school has no such outlet: see `samen notifications outlets`")
    if body.version != old["version"]:
        raise stale(body.version, old["version"])
    found = UUID(old["id"])
    event = NewEvent(OutletRemoved(outlet=found, scheme=old["scheme"]), permit.subject, permit.act, thing=found)
    reply = {"outlet": str(found), "version": body.version + 1, "state": "removed"}
    return Change(permits=(permit,), events=(event,), rows=(Row("outlet", found, body.version, None),), reply=reply)


def _require(asked: Asked[Any], seen: Snapshot, action: Action) -> Permit:
    permit = seen.require(asked, action, Category.CONTACT, about=asked.body.about)
    if permit.subject != school_subject(asked.school):
        raise Problem(ProblemType.INVALID, "an outlet is the school's: name the school's own subject", field="about")
    return permit


def _found(seen: Snapshot, name: str) -> dict[str, Any] | None:
    return next((one for one in seen.state["outlets"] if one["name"] == name), None)


ENDPOINTS: tuple[Endpoint[Any], ...] = (
    Endpoint("outlets", Outlets, "read_outlets", decide_outlets, OutletsReply),
    Endpoint("set-outlet", SetOutlet, "read_outlets", decide_set, OutletReply),
    Endpoint("remove-outlet", RemoveOutlet, "read_outlets", decide_remove, OutletReply),
)
