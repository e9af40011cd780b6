"""Taking a child's whole file along: whose right it is, and the line that says so. The pages are each service's own."""

from __future__ import annotations

from uuid import UUID

from services.network.file_replies import ChildFileReply
from services.network.model import children_of
from services.network.queries import names_of, viewed
from shared.events.words import Action, Category
from shared.unit import Asked, Change, Endpoint, Query, Snapshot


class ChildFile(Query):
    """Begins a copy of everything about a child (GDPR articles 15 and 20), for who has authority, or the young person.

    What is in it is asked of each service by its own questions, each checked and journaled; this is the line in the log
    that a copy was taken.
    """

    child: UUID


def decide_child_file(asked: Asked[ChildFile], seen: Snapshot) -> Change:
    """Answers whose file it is."""
    permit = seen.require(asked, Action.EXPORT, Category.NETWORK, about=asked.body.child)
    child = children_of(seen.state)[asked.body.child]
    result = {"child": str(child.id), **names_of(seen.state["persons"].get(str(child.id)))}
    return viewed("child-file", child.id, permit.act, result, 1, (permit,))


CHILD_FILE = Endpoint("child-file", ChildFile, "read_child_names", decide_child_file, ChildFileReply)
