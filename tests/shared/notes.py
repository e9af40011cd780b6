"""The toy service's own words: a table, two endpoints, and how to give someone access."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

from shared.access_projection import by_member
from shared.actor import Actor
from shared.clock import Ids
from shared.db import Database
from shared.errors import Problem, ProblemType
from shared.events.base import Fact, NewEvent, Viewed
from shared.events.network import Grant
from shared.events.words import Action, ActorKind, Basis, Category, Purpose, Role
from shared.text import Line
from shared.unit import Asked, Change, Endpoint, Query, Request, Row, Snapshot, stale

TABLES = """
CREATE TABLE note (
    school text NOT NULL, id uuid NOT NULL, version int NOT NULL, child uuid NOT NULL, words text NOT NULL,
    CONSTRAINT note_pk PRIMARY KEY (school, id));
SELECT tenant_table('note');
CREATE FUNCTION read_child(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$ BEGIN
    RETURN jsonb_build_object('subjects', jsonb_build_array(p_args->>'child'));
END $$;
CREATE FUNCTION read_note(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$ BEGIN
    RETURN coalesce((SELECT jsonb_build_object(
      'subjects', jsonb_build_array(n.child), 'version', n.version,
      'words', n.words)
      FROM note n WHERE n.school = p_args->>'school' AND n.id = (p_args->>'note')::uuid), '{"subjects": []}');
END $$;
CREATE FUNCTION read_children(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$ BEGIN
    RETURN jsonb_build_object('subjects', p_args->'children');
END $$;
SELECT make_dispatchers();
"""


class NoteWritten(Fact):
    PRODUCER: ClassVar[str] = "goals"
    NAME: ClassVar[str] = "note.written"
    note: UUID
    version: int


class WriteNote(Request):
    child: UUID
    words: Line


class ChangeNote(Request):
    note: UUID
    version: int
    words: Line


class ReadNote(Query):
    note: UUID


def decide_write(asked: Asked[WriteNote], seen: Snapshot) -> Change:
    permit = seen.require(asked, Action.PROPOSE, Category.GOALS)
    note = asked.ids.time_ordered(seen.now)
    return Change(
        permits=(permit,),
        rows=(Row("note", note, 0, {"child": asked.body.child, "words": asked.body.words}),),
        events=(NewEvent(NoteWritten(note=note, version=1), asked.body.child, permit.act, note),),
        reply={"note": str(note), "version": 1},
    )


def decide_change(asked: Asked[ChangeNote], seen: Snapshot) -> Change:
    permit = seen.require(asked, Action.PROPOSE, Category.GOALS)
    body, found = asked.body, seen.state["version"]
    if body.version != found:
        raise stale(body.version, found)
    if body.words == "forbidden":
        raise Problem(ProblemType.CONFLICT, "not these words")
    return Change(
        permits=(permit,),
        rows=(Row("note", body.note, found, {"words": body.words}),),
        events=(NewEvent(NoteWritten(note=body.note, version=found + 1), permit.subject, permit.act, body.note),),
        reply={"note": str(body.note), "version": found + 1},
    )


def decide_read(asked: Asked[ReadNote], seen: Snapshot) -> Change:
    permit = seen.require(asked, Action.VIEW, Category.GOALS)
    event = NewEvent(Viewed(query="note", things=1), permit.subject, permit.act, asked.body.note, producer="goals")
    return Change(permits=(permit,), events=(event,), result={"words": seen.state["words"]})


class SeeAll(Query):
    children: tuple[UUID, ...]


def decide_see(asked: Asked[SeeAll], seen: Snapshot) -> Change:
    permits = tuple(seen.require(asked, Action.VIEW, Category.GOALS, about=child) for child in asked.body.children)
    first = permits[0]
    event = NewEvent(Viewed(query="all", things=len(permits)), first.subject, first.act, producer="goals")
    return Change(permits=permits, events=(event,), result={"seen": len(permits)})


SEE_ALL = Endpoint("all", SeeAll, "read_children", decide_see)
WRITE = Endpoint("write-note", WriteNote, "read_child", decide_write)
CHANGE = Endpoint("change-note", ChangeNote, "read_note", decide_change)
READ = Endpoint("note", ReadNote, "read_note", decide_read)


def person() -> Actor:
    """Returns a made-up person of school `olm`."""
    return Actor(uuid4(), ActorKind.PERSON, "olm", "samen")


def asked(actor: Actor, body: Any) -> Asked[Any]:  # noqa: ANN401  any request body
    return Asked(actor, actor.school, body, Ids())


def grant(member: UUID, *, until: datetime | None = None, since: datetime | None = None) -> Grant:
    """Returns a grant that lets `member` propose and view goals."""
    return Grant(
        id=uuid4(),
        member=member,
        role=Role.TEACHER,
        actions=(Action.PROPOSE, Action.VIEW),
        categories=(Category.GOALS,),
        purposes=(Purpose.GUIDANCE,),
        basis=Basis.PUBLIC_TASK,
        valid_from=since or datetime.now(UTC) - timedelta(days=1),
        valid_until=until,
    )


SET_ACCESS = """
INSERT INTO access (school, id, version, grants, epoch, seq) VALUES ($1, $2, $3, $4, 1, 1)
ON CONFLICT (school, id) DO UPDATE SET version = excluded.version, grants = excluded.grants
"""


async def give(db: Database, subject: UUID, *grants: Grant, revision: int = 1, school: str = "olm") -> None:
    """Stores a subject's grants, as the projection of network's events does."""
    async with db.school(school) as conn:
        await conn.execute(SET_ACCESS, school, subject, revision, by_member(grants))
