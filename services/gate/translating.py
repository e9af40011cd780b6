"""What a tool asks and is answered, in its own ids: pseudonyms that no other tool has (services/gate/model.py). Pure.

They are kept in table `pseudonym`, for only what was told to a tool can be named by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from services.gate.model import MARKS, coarse, ids_in, mark_of, pseudonym, translated

WRITTEN = re.compile(
    r"(?:urn:uuid:|\{)?([0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})\}?", re.IGNORECASE
)
"""Every way in which a service would read an id in a body: what is written otherwise names nothing there either."""
NOBODY = "6e6f626f6479"
"""Goes behind a tool's secret where an id that it was never told is turned into one that is nowhere."""


def outward(answer: str, secret: str, school: str) -> tuple[str, dict[UUID, UUID]]:
    """Returns JSON text with every id in it as the tool knows it, and which stands for which ({theirs: ours}).

    Salts and hashes too are the tool's own, as in what it is put out, and moments are to the second. A school's name
    stays what it is, also one that looks like a salt.
    """
    ours = {one: pseudonym(secret, one) for one in ids_in(answer)}
    key = bytes.fromhex(secret)
    marked = coarse(translated(answer, ours.__getitem__))
    told = MARKS.sub(lambda found: found[0] if found[0] == school else mark_of(key, found[0]), marked)
    return told, {made: one for one, made in ours.items()}


def named(body: Any) -> set[UUID]:  # noqa: ANN401  JSON
    """Returns every id that a tool's body names, however it is written."""
    found: set[UUID] = set()

    def seen(id_: UUID) -> UUID:
        found.add(id_)
        return id_

    _walked(body, seen)
    return found


def inward(body: Any, known: Mapping[UUID, UUID], secret: str) -> Any:  # noqa: ANN401  JSON
    """Returns a tool's body with our ids for its pseudonyms, `known` being {theirs: ours}.

    What the tool was never told becomes an id that is nowhere: the service finds nothing, and refuses and notes it
    exactly as it does what is forbidden. The same one each time, so that a retry is the same request.
    """
    return _walked(body, lambda given: known[given] if given in known else pseudonym(secret + NOBODY, given))


def about_of(named_ids: Collection[UUID], rows: Collection[tuple[UUID, UUID, UUID]]) -> set[UUID]:
    """Returns whom a request is about, by what the tool was told: rows are (theirs, ours, about) of what it named.

    That which all it named has in common; a child that is named itself; else all of them. With none of these the
    answer tells of nobody.
    """
    by_id: dict[UUID, set[UUID]] = {}
    for given, _, about in rows:
        by_id.setdefault(given, set()).add(about)
    found = [by_id[one] for one in named_ids if one in by_id]
    if not found:
        return set()
    itself = {about for _, ours, about in rows if ours == about}
    return itself or set.intersection(*found) or set.union(*found)


def _walked(content: Any, change: Callable[[UUID], UUID]) -> Any:  # noqa: ANN401  JSON
    if isinstance(content, str):
        match = WRITTEN.fullmatch(content.strip())
        return content if match is None else str(change(UUID(match[1])))
    if isinstance(content, list):
        return [_walked(one, change) for one in content]
    if isinstance(content, dict):
        return {_walked(key, change): _walked(value, change) for key, value in content.items()}
    return content
