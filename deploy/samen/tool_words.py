"""What is said of a tool: until when it is registered, and whether its login is good."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from deploy.samen.inbox import HERE


def first_day_without(tool: dict[str, Any]) -> str | None:
    """Returns the day that `--until` named: it began where the school is, mostly the evening before in UTC."""
    ends = tool["ends_at"]
    return f"{datetime.fromisoformat(ends).astimezone(HERE):%Y-%m-%d}" if ends else None


def login_words(tool: dict[str, Any]) -> str:
    """Returns whether its login is good, and how it gets one."""
    if tool["channel"] == "webhook":
        return "it needs none: `samen tool webhook show`"
    if tool["state"] == "removed":
        return "none is good any more"
    return f"good until {tool['login']['expires_at'][:19]} UTC" if tool["login"] else "none yet: `samen tool login`"
