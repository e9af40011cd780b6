"""JSON that people can read and compare: what fits on a line stands on one."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 120


def pretty(value: Any, indent: int = 0, taken: int = 0) -> str:  # noqa: ANN401  JSON
    """Return JSON text; `taken` is how much of the first line is in use already."""
    line = json.dumps(value, ensure_ascii=False)
    if indent + taken + len(line) <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    if isinstance(value, dict):
        keys = (json.dumps(key, ensure_ascii=False) + ": " for key in value)
        parts = [key + pretty(one, indent + 1, len(key) + 1) for key, one in zip(keys, value.values(), strict=True)]
        begin, end = "{}"
    else:
        parts = [pretty(one, indent + 1, 1) for one in value]
        begin, end = "[]"
    pad = "\n" + " " * (indent + 1)
    return begin + pad + ("," + pad).join(parts) + "\n" + " " * indent + end
