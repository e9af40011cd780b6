"""What `audit` tells: only that somebody looked at the log or was refused it (`Viewed`, `Denied` of the envelope).

Lines, checkpoints and proofs are no events: what is logged must not cause anything to log.
"""

from __future__ import annotations

from shared.events.base import Fact

FACTS: dict[str, type[Fact]] = {}
"""Every fact of this producer alone, by CloudEvents type."""
