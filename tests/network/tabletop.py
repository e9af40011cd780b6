"""Network's decisions about dialogues over tables in memory: what a commit would write, and a reader would read."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, date, datetime, time
from random import Random
from typing import Any
from uuid import UUID, uuid5

import pydantic_core

from services.network.commands import ENDPOINTS
from services.network.policy import SCHOOL_TEAM
from shared.access import View
from shared.actor import Actor, service_id
from shared.clock import Ids
from shared.events.base import Fact
from shared.events.network import Grant
from shared.events.words import NAMESPACE, Action, ActorKind, Basis, Category, Purpose, Role
from shared.unit import Asked, Snapshot

Json = dict[str, Any]
KIM = UUID(int=1, version=4)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CAST = {
    "mum": Role.GUARDIAN,
    "dad": Role.GUARDIAN,
    "juf": Role.TEACHER,
    "ib": Role.COORDINATOR,
    "smw": Role.SOCIAL_WORKER,
    "logo": Role.THERAPIST,
}
ID = {name: UUID(int=place, version=4) for place, name in enumerate(CAST, 10)}
NAME = {id_: name for name, id_ in ID.items()}
BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
TEAM = {name for name, role in CAST.items() if role in SCHOOL_TEAM}


def _grant(name: str, role: Role) -> Grant:
    return Grant(
        id=uuid5(NAMESPACE, name + role),
        member=ID[name],
        role=role,
        actions=(Action.VIEW, Action.PROPOSE, Action.ANSWER, Action.RECEIVE),
        categories=(Category.EXPECTATIONS, Category.IDENTITY),
        purposes=(Purpose.GUIDANCE,),
        basis=Basis.PUBLIC_TASK,
        valid_from=LONG_AGO,
    )


class Tabletop:
    """One child, everyone of the cast round it with access, and the tables of dialogues.

    `dad_teaches`: a parent is in the school's team too.
    """

    def __init__(self, today: date, *, dad_teaches: bool = False) -> None:
        self.grants = {name: [_grant(name, role)] for name, role in CAST.items()}
        if dad_teaches:
            self.grants["dad"].append(_grant("dad", Role.TEACHER))
        self.tables: dict[str, dict[UUID, Json]] = defaultdict(dict)
        self.facts: list[Fact] = []
        self.ids = Ids(Random(7))
        self.today = today

    def ask(self, endpoint: str, who: str, **body: object) -> Any:  # noqa: ANN401  JSON
        """Decides and commits; returns a command's reply, or a query's result. Raises Problem or Denial."""
        found = BY_NAME[endpoint]
        read = found.body.model_validate_json(json.dumps(body, default=str))
        change = found.decide(Asked(self._actor(who), "olm", read, self.ids), self._snapshot(who))
        for row in change.rows:
            if row.table in {"expectation", "dialogue", "turn", "commitment"}:
                known = self.tables[row.table].get(row.id, {})
                assert known.get("version", 0) == row.seen
                values = json.loads(pydantic_core.to_json(dict(row.values or {})))
                self.tables[row.table][row.id] = known | values | {"id": str(row.id), "version": row.seen + 1}
        self.facts += [event.fact for event in change.events]
        return change.result if found.is_query else dict(change.reply)

    def _actor(self, who: str) -> Actor:
        if who == "network":
            return Actor(service_id("network"), ActorKind.SERVICE, "olm", "network")
        return Actor(ID[who], ActorKind.PERSON, "olm", "test")

    def _snapshot(self, who: str) -> Snapshot:
        now = datetime.combine(self.today, time(12), UTC)
        guardians = [str(ID[name]) for name, role in CAST.items() if role is Role.GUARDIAN]
        grants = {str(ID[name]): [one.model_dump(mode="json") for one in held] for name, held in self.grants.items()}
        state = {
            "subjects": [str(KIM)],
            "circles": {str(KIM): {"grants": grants, "guardians": guardians}},
            "dialogues": [self._facts(one) for one in self.tables["dialogue"].values()],
            "names": {},
            "full": False,
            # for what publishes grants anew
            "school": {"id": str(UUID(int=2)), "version": 1, "wide": 1, "revision": 1, "memberships": []},
            "children": [
                *(
                    {
                        "id": str(KIM),
                        "version": 1,
                        "born_on": None,
                        "wide": 1,
                        "revision": 1,
                        "memberships": [],
                        "authorities": [],
                        "consents": [],
                        "due_on": None,
                    },
                ),
            ],
        }
        mine = tuple(self.grants.get(who, ()))
        return Snapshot(state, {KIM: View(KIM, 1, mine, fresh=True)}, now, now)

    def _facts(self, one: Json) -> Json:
        turns = [turn for turn in self.tables["turn"].values() if turn["dialogue"] == one["id"]]
        return {
            **one,
            "voice": self.tables["expectation"][UUID(one["expectation"])],
            "spoke": sorted({turn["person"] for turn in turns}),
            "turns": sorted(turns, key=lambda turn: int(turn["number"])),
            "commitments": [each for each in self.tables["commitment"].values() if each["dialogue"] == one["id"]],
        }
