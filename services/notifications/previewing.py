"""Prints the words of a kind of notice as JSON: `python -m services.notifications.previewing KIND LANGUAGE NUMBER`.

What `samen notifications preview` runs: nothing is imported across the wall, and nothing needs to run.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from services.notifications import words
from services.notifications.rules import BY_KIND, is_fixed


def preview(kind: str, language: str, number: int) -> dict[str, Any]:
    """Returns what the inbox says of it, with what is folded into it, and what may leave the platform."""
    return {
        "inbox": words.inbox(language, kind),
        "more": words.more(language, number - 1) if number > 1 else "",
        "outside": asdict(words.outside(language, number, urgent=BY_KIND[kind].urgent, fixed=is_fixed(kind))),
        "reminder": words.outside(language, 1, reminder=True).news if BY_KIND[kind].remind_days else "",
    }


def main(kind: str, language: str, number: str) -> int:
    """Prints it; or, of what is not there, what there is."""
    known = kind in BY_KIND and language in words.LANGUAGES
    told = preview(kind, language, int(number)) if known else {"kinds": sorted(BY_KIND), "languages": words.LANGUAGES}
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    return 0 if known else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
