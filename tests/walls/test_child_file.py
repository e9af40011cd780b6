"""A guardian takes a child's whole file along, from the real services; others do not."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.childfile.gather import Gatherer, whole
from deploy.childfile.page import page
from shared.errors import Problem, ProblemType
from tests.faults.cast import School, goal_for
from tests.faults.door import Door
from tests.faults.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def gather(door: Door, school: School, person: str, child: str) -> Gatherer:
    async def ask(service: str, query: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await door.query(
            school.slug, f"{service}.{query}", door.person(person, school.slug), purpose="own_data", **body
        )
        if answer.ok is None:
            raise Problem(ProblemType(str(answer.kind)), f"{service}.{query}: {answer}")
        return dict(answer.ok)

    gathered = Gatherer(ask, child)
    await gathered.run()
    return gathered


async def test_a_guardian_gets_all_of_it_with_who_saw_what_and_a_stranger_nothing(
    door: Door, stage: Stage, here: School
) -> None:
    kid = here.kids[0]
    teacher = door.person(kid.teacher, here.slug)
    await door.must(
        here.slug, "goals.propose-goal", teacher, key="file", **goal_for(kid, "samen <b>lezen</b> na het eten")
    )
    await door.must(here.slug, "goals.draft-plan", teacher, key="file-plan", about=kid.child, outlook="naar groep 5")
    gathered = await gather(door, here, kid.mum, kid.child)
    file = whole(gathered, here.slug, kid.child, kid.mum, "2026-11-29T10:00:00+00:00")
    assert gathered.refused == []
    assert {"network", "goals", "notifications", "audit"} == set(file["parts"])
    theirs = {"child-file", "child-network", "consents", "ecogram", "deciders", "expectations"}
    assert theirs <= file["parts"]["network"].keys()
    assert {"consents", "break-glass", "story-nl", "story-en", "who-looked"} <= file["parts"]["audit"].keys()
    told = page(file, "nl")
    for words in ("samen &lt;b&gt;lezen&lt;/b&gt; na het eten", "naar groep 5", "Mum0 Voorbeeld", "leraar"):
        assert words in told
    async with stage.admin("network") as conn:
        exported = await conn.fetch(
            "SELECT event::jsonb #>> '{data,act,actor}' AS who FROM journal WHERE school = $1 "
            "AND event::jsonb #>> '{data,fact,query}' = 'child-file' "
            "AND event::jsonb #>> '{data,act,action}' = 'export'",
            here.slug,
        )
    assert [row["who"] for row in exported] == [kid.mum]
    for stranger in (kid.therapist, kid.teacher, here.admin):
        with pytest.raises(Problem, match="child-file"):
            await gather(door, here, stranger, kid.child)
