"""What a batch of a roster makes of memberships and authority: they are put there, changed and ended. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from services.network.authority import tell_authority, tell_authority_ended
from services.network.draft import Draft
from services.network.lifecycle import cut_all
from services.network.mandates import tell_changed
from services.network.members import add_membership, end_membership
from services.network.model import Authority, Child, Membership, School, children_of, school_of
from services.network.policy import reaches_all
from shared.clock import Ids
from shared.events.network import Decision
from shared.events.words import Role
from shared.unit import Snapshot

SOURCE = "roster"
LEFT = "left_roster"
BY_HAND = "ended_by_hand"
"""The code of a row that lists what a command ended: a command takes it up again, the roster does not."""


@dataclass
class Tally:
    """What became of the rows: counts, the places of those that did something, and those that were refused."""

    count: Counter[str] = field(default_factory=Counter)
    lines: dict[str, dict[str, None]] = field(default_factory=lambda: {"added": {}, "changed": {}})
    refused: list[dict[str, str]] = field(default_factory=list)

    def refuse(self, at: str, code: str) -> None:
        """Notes a row that can't be."""
        self.refused.append({"at": at, "code": code})

    def mark(self, at: str, what: str) -> None:
        """Counts what became of a row, and remembers its place unless nothing did."""
        self.count[what] += 1
        if what in self.lines:
            self.lines[what][at] = None

    def counts(self) -> dict[str, int]:
        """Returns how many were added, changed, ended and found in order."""
        return {name: self.count[name] for name in ("added", "changed", "ended", "unchanged")}


class Links:
    """The memberships and authority that a batch meets and leaves; `lost` is what ended, one thing a subject."""

    def __init__(self, seen: Snapshot, draft: Draft, ids: Ids, tally: Tally) -> None:
        self.seen, self.now, self.draft, self.ids, self.tally = seen, seen.now, draft, ids, tally
        self.school: School = school_of(seen.state)
        self.children: dict[UUID, Child] = children_of(seen.state)
        self.by_hand = {(UUID(one), UUID(person), Role(role)) for one, person, role in seen.state[BY_HAND]}
        self.touched: dict[UUID, None] = {}
        self.wide = False
        self.lost: dict[UUID, UUID] = {}

    def hold_child(self, child: Child) -> None:
        """Puts a new or changed child into the facts that the grants will follow from."""
        self.children[child.id] = child
        self.touched[child.id] = None

    def open_in(self, subject: UUID) -> list[Membership]:
        """Returns the memberships of a network that have not ended."""
        circle = self.school if subject == self.school.id else self.children[subject]
        return [one for one in circle.memberships if one.is_open(self.now)]

    def closed_to(self, child: UUID) -> str | None:
        """Returns the code for why nobody joins this child's network by a roster; None: anyone may."""
        if not self.children[child].has_left(self.now):
            return None
        return BY_HAND if (child, child, Role.CHILD) in self.by_hand else "has_left"

    def authorities(self, at: str, child_id: UUID, wanted: Sequence[UUID]) -> None:
        """Makes these guardians have authority, unless a command ended it last."""
        child = self.children[child_id]
        for holder in wanted:
            own = [one for one in child.authorities if one.holder == holder]
            if any(one.ends_at is None or one.ends_at > self.now for one in own):
                self.tally.mark(at, "unchanged")
            elif own and max(own, key=lambda one: (one.ends_at or self.now, one.id)).ended_by_hand:
                self.tally.refuse(at, BY_HAND)
            else:
                scope = tuple(sorted(Decision))
                id_ = self.ids.time_ordered(self.now)
                made = Authority(id_, 1, child_id, holder, scope, SOURCE, self.now, None)
                tell_authority(self.draft, made)
                self._hold(made)
                self.tally.mark(at, "added")

    def _hold(self, authority: Authority) -> None:
        """Puts a new or changed authority into the facts that the grants will follow from."""
        child = self.children[authority.child]
        rest = tuple(one for one in child.authorities if one.id != authority.id)
        self.hold_child(replace(child, authorities=(*rest, authority)))

    def end(self, id_: UUID) -> None:
        """Ends a membership or authority that the roster brought; with a pupil's own, all that hung on its place."""
        before = self.tally.count["ended"]
        for subject in (self.school.id, *self.children):
            for one in self.open_in(subject):
                if one.id == id_ and one.source == SOURCE:
                    self._leave(subject) if one.role is Role.CHILD else self._end(one)
        for child in tuple(self.children.values()):
            for held in child.authorities:
                over = held.ends_at is not None and held.ends_at <= self.now
                if held.id == id_ and held.source == SOURCE and not over:
                    ended = replace(held, ends_at=self.now)
                    tell_authority_ended(self.draft, ended, by_hand=False)
                    self._hold(ended)
                    self.lost.setdefault(child.id, held.id)
                    self.tally.count["ended"] += 1
        if self.tally.count["ended"] == before:
            self.tally.count["unchanged"] += 1

    def _leave(self, child_id: UUID) -> None:
        """Ends a pupil's place as the command does; counted is what `roster-links` lists."""
        child = self.children[child_id]
        left, fact = cut_all(self.draft, self.seen, child, LEFT)
        self.hold_child(left)
        self.lost.setdefault(child_id, child_id)
        listed = [one for one in left.authorities if one.source == SOURCE and one not in child.authorities]
        self.tally.count["ended"] += fact.memberships + len(listed)

    def _keep(self, membership: Membership) -> None:
        """Puts a new or changed membership into the facts that the grants will follow from."""
        circle = self.school if membership.subject == self.school.id else self.children[membership.subject]
        rest = tuple(one for one in circle.memberships if one.id != membership.id)
        if membership.subject == self.school.id:
            self.school = replace(self.school, memberships=(*rest, membership))
            self.wide = self.wide or reaches_all(membership.role, self.school)
        else:
            self.children[membership.subject] = replace(
                self.children[membership.subject], memberships=(*rest, membership)
            )
        self.touched[membership.subject] = None

    def put(
        self,
        at: str,
        subject: UUID,
        person: UUID,
        role: Role,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
        *,
        organisation: UUID | None = None,
    ) -> None:
        """Makes the membership be there with this period: adds it, changes it, or finds it in order.

        What a command ended, or gave an end to come, stays so.
        """
        found = next((one for one in self.open_in(subject) if (one.person, one.role) == (person, role)), None)
        if found is not None:
            self._move(at, found, starts_at or found.starts_at, ends_at)
            return
        id_, since = self.ids.time_ordered(self.now), starts_at or self.now
        made = Membership(id_, 1, subject, person, role, organisation, None, SOURCE, since, ends_at)
        if not made.span or not made.is_open(self.now):
            self.tally.mark(at, "unchanged")
        elif (subject, person, role) in self.by_hand:
            self.tally.refuse(at, BY_HAND)
        else:
            add_membership(self.draft, made)
            self._keep(made)
            self.tally.mark(at, "added")

    def _move(self, at: str, found: Membership, starts_at: datetime, ends_at: datetime | None) -> None:
        if found.source != SOURCE or (starts_at, ends_at) == (found.starts_at, found.ends_at):
            self.tally.mark(at, "unchanged")
        elif found.ended_by_hand and (ends_at is None or ends_at > (found.ends_at or self.now)):
            self.tally.refuse(at, BY_HAND)
        elif ends_at is not None and ends_at <= self.now:
            self._end(found)
        else:
            changed = replace(found, starts_at=starts_at, ends_at=ends_at)
            if found.span.holds(self.now) and not changed.span.holds(self.now):  # it begins later than it was known to
                self.lost.setdefault(found.subject, found.id)
            self._change(changed)
            self.tally.mark(at, "changed")

    def _change(self, changed: Membership) -> None:
        self.draft.write(
            "membership", changed.id, changed.version, {"starts_at": changed.starts_at, "ends_at": changed.ends_at}
        )
        tell_changed(self.draft, changed)
        self._keep(changed)

    def _end(self, membership: Membership) -> None:
        ended = replace(membership, ends_at=self.now)
        end_membership(self.draft, ended, LEFT, by_hand=False)
        self._keep(ended)
        self.lost.setdefault(membership.subject, membership.id)
        self.tally.count["ended"] += 1
