"""Which schools there are: looked up before a service is asked, for every question leaves a line in a school's log."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from shared.errors import Problem, ProblemType

SLUG = re.compile(r"[a-z0-9-]{1,32}")
NAMED = 20
"""So many schools are named to whoever mistypes one."""
NO_SUCH_SCHOOL = "no_such_school"


def refuse_bad_slug(school: object) -> None:
    """Raise Problem for what is no school's slug: no service could be asked about it."""
    if not isinstance(school, str) or not SLUG.fullmatch(school):
        told = repr(school if len(str(school)) <= 40 else f"{str(school)[:40]}...")
        raise Problem(ProblemType.INVALID, f"{told} is no school's slug: 1 to 32 of a-z, 0-9 and -; see `samen status`")


def refuse_unknown(school: str, known: Collection[str]) -> None:
    """Raise Problem for a school that is not among those that are open; it names them, or those most like it."""
    if school in known:
        return
    if not known:
        there = "no school is open yet: `samen roster import` opens those of a delivery"
    elif len(known) <= NAMED:
        there = f"the schools are {', '.join(sorted(known))}"
    else:
        alike = difflib.get_close_matches(school, known, n=5, cutoff=0.5)
        there = (f"alike are {', '.join(alike)}; " if alike else "") + "`samen status` names them all"
    raise Problem(ProblemType.INVALID, f"there is no school {school}: {there}", code=NO_SUCH_SCHOOL)
