"""What a tool may ask of the platform: a closed list, as data. Whether this tool may, of this child, its grants say.

Nothing that administers, proposes, decides for people, gives consent, keeps or reads the log: consent lets a tool look,
score and be told (CONSENTED_ACTIONS of network), so that anything else would be refused for ever. deploy/topology.py
lets the gate's login ask exactly this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.events.words import Category


@dataclass(frozen=True, slots=True)
class Call:
    """A command (`cmd`) or query (`qry`), and which category a tool must be registered for to ask it."""

    kind: str
    category: Category


CALLS: Mapping[tuple[str, str], Call] = {
    ("goals", "score-goal"): Call("cmd", Category.GOALS),
    ("goals", "score-goals"): Call("cmd", Category.GOALS),
    ("goals", "correct-score"): Call("cmd", Category.GOALS),
    ("goals", "goals-of-child"): Call("qry", Category.GOALS),
    ("goals", "goal"): Call("qry", Category.GOALS),
    ("goals", "goal-history"): Call("qry", Category.GOALS),
    ("goals", "plans-of-child"): Call("qry", Category.PLAN),
    ("goals", "plan"): Call("qry", Category.PLAN),
    ("goals", "plan-changes"): Call("qry", Category.PLAN),
    ("goals", "conversations"): Call("qry", Category.CONVERSATIONS),
    ("goals", "conversation"): Call("qry", Category.CONVERSATIONS),
}
"""By service and name, as in the subject that a tool asks on: `in.<service>.<name>`."""
GATE = "gate"
"""What is asked on `in.gate.<name>` the gate answers itself."""
