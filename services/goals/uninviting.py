"""Somebody is taken off a conversation's list, which goes on without them. Body and pure decision."""

from __future__ import annotations

from services.goals.talk import by_task, enter, possible
from services.goals.talking import Members, OnConversation, Sequence, done
from services.goals.writing import invalid
from shared.events.conversations import InvitationWithdrawn
from shared.events.words import Action
from shared.unit import Asked, Change, Snapshot


class WithdrawInvitation(OnConversation):
    """Who is on the list by mistake, or no longer needed. `sequence` is the one that was seen."""

    sequence: Sequence
    members: Members


def decide_withdraw_invitation(asked: Asked[WithdrawInvitation], seen: Snapshot) -> Change:
    """Takes members off the list: they hear of it, see nothing more of it, and their calendars drop it.

    For who invited, and for who works on it by task: no guest sends another one away.
    """
    permit, talk = enter(asked, seen, Action.PROPOSE)
    if asked.actor.id != talk.invited_by:
        permit = by_task(asked, seen, Action.PROPOSE)
    off = asked.body.members
    possible(talk, "withdraw-invitation", asked.body.sequence)
    if strangers := sorted(str(one) for one in set(off) - set(talk.invited)):
        raise invalid("names somebody who is not invited: see the conversation", "members", members=strangers)
    if talk.invited_by in off:
        raise invalid("names who invited, and so takes part: leave them out, or cancel the conversation", "members")
    invited = tuple(one for one in talk.invited if one not in off)
    if not invited:
        raise invalid("leaves nobody to talk with: cancel the conversation instead", "members")
    fact = InvitationWithdrawn(
        conversation=talk.id,
        concerns=tuple(sorted(set(off) - {asked.actor.id})),
        sequence=talk.sequence + 1,
        starts_at=talk.starts_at,
        ends_at=talk.ends_at,
    )
    row = talk.row(
        invited=invited,
        uninvited=tuple(dict.fromkeys((*talk.uninvited, *off))),
        sequence=talk.sequence + 1,
        changed_at=seen.now,
    )
    return done(permit, talk, fact, [row], sequence=talk.sequence + 1)
