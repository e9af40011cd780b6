"""Tells that something about a plan is due soon or overdue, once each, whatever was down meanwhile.

What was told stands in the clock's row, written with the event, so a second replica or a restart tells nothing again;
what days went by unseen is made up for, in order.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field, TypeAdapter

from services.goals.clocks import DAY, FIRST_PLAN_WITHIN, LEAD, Clock, Told, first_plan_clock, steps
from services.goals.model import today
from services.goals.own_acts import act_of_service
from services.goals.plan import stewards
from services.goals.plan_replies import RemindedReply
from shared.db import Connection
from shared.errors import Problem, ProblemType
from shared.events.base import Event, NewEvent
from shared.events.membership import MemberAdded, MembershipEnded
from shared.events.network import Grant
from shared.events.plans import Deadline, DeadlineDueSoon, DeadlineOverdue
from shared.events.words import Action, Category, Role
from shared.reminders import NONE_DUE, Reminders
from shared.unit import Asked, Change, Endpoint, Request, Row, Snapshot
from shared.unit_run import Unit

SERVICE = "goals"
DUE = "SELECT cardinality(list_clocks($1, 1)) > 0"
ENROLLED = """
INSERT INTO plan_clock (school, id, version, about, deadline, due_on, next_on, told, concerns)
SELECT $1, $2, 1, $3, 'first_plan', $4, $5, 'nothing', '{}'
 WHERE NOT EXISTS (SELECT FROM plan p WHERE p.school = $1 AND p.about = $3 AND p.status IN ('in_force', 'evaluated'))
   AND NOT EXISTS (SELECT FROM erased e WHERE e.school = $1 AND e.id = $3)
ON CONFLICT ON CONSTRAINT plan_clock_pk DO UPDATE
   SET version = plan_clock.version + 1, due_on = excluded.due_on, next_on = excluded.next_on, told = 'nothing',
       counted = 0
 WHERE plan_clock.next_on IS NULL AND plan_clock.told = 'nothing'
"""
LEFT = """
UPDATE plan_clock SET version = version + 1, next_on = NULL, told = 'nothing'
 WHERE school = $1 AND about = $2 AND ($3::date IS NULL OR due_on > $3)
"""
# What stands still of a plan that goes on, and was neither evaluated nor ended, does so because the child had left.
# Of what fell due while it was away only that is told.
RETURNED = """
UPDATE plan_clock c
   SET version = c.version + 1, counted = 0, told = CASE WHEN c.due_on < $3 THEN 'due_soon' ELSE 'nothing' END,
       next_on = CASE WHEN c.due_on < $3 THEN c.due_on + 1 WHEN c.deadline = 'action' THEN c.due_on - $5::int
                      ELSE c.due_on - $4::int END
  FROM plan p
 WHERE c.school = $1 AND c.about = $2 AND c.next_on IS NULL AND c.told = 'nothing' AND p.school = $1 AND p.id = c.plan
   AND CASE c.deadline
       WHEN 'evaluation' THEN p.status = 'in_force'
       ELSE p.status IN ('in_force', 'evaluated')
        AND NOT EXISTS (SELECT FROM action_end e WHERE e.school = $1 AND e.plan = p.id AND e.action = c.action)
        AND EXISTS (SELECT FROM plan_text t WHERE t.school = $1 AND t.plan = p.id AND t.number = p.force_number
                       AND t.items @> jsonb_build_array(jsonb_build_object('item', c.action, 'kind', 'action'))) END
"""
TOLD = "UPDATE plan_clock SET version = version + 1, told = $3, next_on = $4 WHERE school = $1 AND id = $2"

_GRANTS = TypeAdapter(tuple[Grant, ...])


class RemindPlans(Request):
    """Tells which deadlines of plans came near or passed. For this service itself."""

    page: int = Field(default=50, ge=1, le=200)


def decide_remind(asked: Asked[RemindPlans], seen: Snapshot) -> Change:
    """Tells a page of deadlines, each step of each once."""
    act, now = act_of_service(asked, SERVICE, Action.MANAGE, Category.PLAN), today(seen.now)
    rows, events = [], []
    for raw in seen.state["clocks"]:
        clock = Clock.read(raw)
        concerns = clock.concerns or tuple(sorted(stewards(_GRANTS.validate_python(raw["grants"]), seen.clock)))
        after = clock
        for fact, after in steps(clock, now):  # noqa: B007  the last one is written
            told = fact(
                deadline=clock.deadline,
                clock=clock.id,
                plan=clock.plan,
                action=clock.action,
                due_on=clock.due_on,
                concerns=concerns,
            )
            events.append(NewEvent(told, about=clock.about, act=act, thing=clock.plan or clock.id))
        if after is not clock:
            rows.append(Row("plan_clock", clock.id, clock.version, {"told": after.told, "next_on": after.next_on}))
    if not rows:
        raise Problem(ProblemType.CONFLICT, "no deadline came near or passed: nothing is to be told", code=NONE_DUE)
    return Change(permits=(), events=tuple(events), rows=tuple(rows), reply={"clocks": len(rows)})


REMIND = Endpoint("remind-plans", RemindPlans, "read_clocks", decide_remind, RemindedReply)


def _failed(unit: Unit, school: str, kind: str) -> None:
    unit.alarm("deadlines_failed", "deadlines cannot be told", school=school, kind=kind)


PLANS = Reminders(DUE, REMIND, "clocks", _failed)


# What network tells, and what a restored database lost ----------------------------------------------------------------


async def enrolled(conn: Connection, event: Event) -> None:
    """Begins the six weeks for a child's first plan: from its enrolment, or from when it came to be known here.

    Of a child that returns to a plan that went on, its other clocks run on.
    """
    member = event.fact(MemberAdded)
    if member.role is not Role.CHILD or member.member != event.about:
        return
    since = today(max(member.starts_at, event.occurred_at))
    leads = (LEAD[one].days for one in (Deadline.EVALUATION, Deadline.ACTION))
    await conn.execute(RETURNED, event.school, event.about, since, *leads)
    due_on = since + FIRST_PLAN_WITHIN
    clock, next_on = first_plan_clock(event.about), due_on - LEAD[Deadline.FIRST_PLAN]
    await conn.execute(ENROLLED, event.school, clock, event.about, due_on, next_on)


async def left(conn: Connection, event: Event) -> None:
    """Stops the clocks of a child that leaves, but for those that run out while it is still there."""
    ended = event.fact(MembershipEnded)
    if ended.role is Role.CHILD and ended.member == event.about:
        last = None if ended.ends_at <= event.occurred_at else today(ended.ends_at)
        await conn.execute(LEFT, event.school, event.about, last)


async def take_back(conn: Connection, tail: Sequence[Event]) -> None:
    """Notes what a lost tail had told already, so that a restored database does not tell it again."""
    for event in tail:
        if event.is_a(DeadlineDueSoon):
            soon = event.fact(DeadlineDueSoon)
            await conn.execute(TOLD, event.school, soon.clock, Told.DUE_SOON.value, soon.due_on + DAY)
        elif event.is_a(DeadlineOverdue):
            await conn.execute(TOLD, event.school, event.fact(DeadlineOverdue).clock, Told.OVERDUE.value, None)
