"""Whom both sides of a dialogue let in, such as the school social worker: body and pure decision."""

from __future__ import annotations

from uuid import UUID

from services.network.dialogue import Companion
from services.network.members import Circle, conflict, invalid
from services.network.talk import InDialogue, Talk
from shared.events import dialogue as told
from shared.events.words import Role
from shared.unit import Asked, Change, Snapshot


class InviteCompanion(InDialogue):
    """Would like to have a member in the dialogue (in once both sides would), or does not any more (out at once).

    A companion reads all of it, may make remarks, and may leave with `welcome` False.
    """

    member: UUID
    welcome: bool = True


def decide_invite_companion(asked: Asked[InviteCompanion], seen: Snapshot) -> Change:
    """Lets in with the other side's word, or takes out with one's own."""
    talk, body = Talk(asked, seen), asked.body
    found = next((one for one in talk.dialogue.companions if one.member == body.member), None)
    return _welcome(talk, body.member, found) if body.welcome else _out(talk, asked, found)


def _welcome(talk: Talk, member: UUID, found: Companion | None) -> Change:
    party, here, dialogue = talk.party, talk.around, talk.dialogue
    if member not in here.roles:
        raise invalid("this member takes no part in expectations here: look in the network", field="member")
    if dialogue.side_of(member, here) is not None:
        raise conflict("this member speaks for one of the sides already")
    if len(dialogue.companions) >= 20 and found is None:
        raise conflict("twenty are in it already: meet instead")
    inside = {dialogue.voice.author, dialogue.member, *dialogue.spoke, *(one.member for one in dialogue.companions)}
    if member in here.guardians and (inside - {member}) & here.guardians:
        raise invalid("guardians do not read each other here: ask someone of the school to speak with each of them")
    by = found.by if found else ()
    if party in by:
        raise conflict("your side has asked for this member already: the other side must agree")
    now = Companion(member, tuple(sorted((*by, party))))
    others = tuple(one for one in dialogue.companions if one.member != member)
    talk.moves(companions=(*others, now))
    if now.joined:
        talk.tell(told.CompanionJoined, talk.others() | {member}, member=member)
    else:
        talk.tell(told.CompanionProposed, talk.others(), member=member, by=party)
    return talk.change(joined=now.joined)


def _out(talk: Talk, asked: Asked[InviteCompanion], found: Companion | None) -> Change:
    """What a companion could read ends: the grants are published anew, so that no reading under way gets through."""
    member = asked.body.member
    if found is None:
        raise conflict("this member was not asked in: there is nothing to take back")
    if talk.actor != member:
        _ = talk.party
    talk.moves(companions=tuple(one for one in talk.dialogue.companions if one.member != member))
    talk.tell(told.CompanionLeft, talk.others() | ({member} if found.joined else set()), member=member)
    if not found.joined:
        return talk.change(joined=False)
    circle = Circle.of(talk.seen, talk.dialogue.subject)
    revision = circle.publish(talk.draft, circle.memberships, Role.TEACHER)
    pending = talk.draft.withdraws(asked.ids.time_ordered(talk.seen.now), talk.dialogue.subject, talk.dialogue.id)
    return talk.change(joined=False, revision=revision, **pending)
