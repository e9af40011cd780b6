"""How many codes are sent for one member in a day, to whatever addresses.

Those may be strangers', and telephone messages cost money: who takes an address away and gives it again gains nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from shared.errors import Problem, ProblemType
from shared.unit import Row, Snapshot

MOST_CODES_A_DAY = 20
A_DAY = timedelta(days=1)


def refuse_more(seen: Snapshot) -> None:
    """Raises Problem when no more codes are sent for the member today."""
    if _lately(seen)[0] >= MOST_CODES_A_DAY:
        raise Problem(
            ProblemType.RATE_LIMITED, f"{MOST_CODES_A_DAY} codes were sent for you within a day: try again tomorrow"
        )


def counted(member: UUID, seen: Snapshot) -> Row:
    """Returns the row that counts one more."""
    codes, since = _lately(seen)
    sent = seen.state["sent"]
    return Row("code_count", member, sent["version"] if sent else 0, {"codes": codes + 1, "since": since})


def _lately(seen: Snapshot) -> tuple[int, datetime]:
    sent = seen.state["sent"]
    since = datetime.fromisoformat(sent["since"]) if sent else seen.clock
    return (sent["codes"], since) if sent and seen.clock < since + A_DAY else (0, seen.clock)
