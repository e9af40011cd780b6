"""Which of Apprise's services a school may set up. What is not here can't be allowed by any setting.

Left out: whatever reads or writes on our own machine (dbus, syslog, files), speaks SMTP, MQTT or the like by itself, or
sends to any URL as it is told (json, xml, form).
"""

from __future__ import annotations

import re
from urllib.parse import quote

FIXED = frozenset(
    {
        *("threema", "msgbird", "twilio", "vonage", "clickatell", "bulksms", "seven", "sinch", "plivo", "46elks"),
        *("clicksend", "d7sms", "smsmanager", "tgram", "pover"),
    }
)
"""Each sends to its maker's host, which stands in Apprise's own code: texts and messages to one person."""
HOSTED = frozenset({"ntfys", "nctalks", "matrixs", "gotifys", "mmosts"})
"""On a host that the school names, by HTTPS: only where the operators allow it, and never to an address inside."""
KNOWN = FIXED | HOSTED

TARGET = "{target}"
GIVEN = re.compile(r"[A-Za-z0-9+@._*-]{1,128}")
URL = re.compile(r"([a-z0-9]{2,16})://[\x21-\x7e]{3,1000}")


def scheme_of(url: str) -> str | None:
    """Returns the URL's scheme; None: it is no URL, or has no place, or two, for the member's own part.

    Or that place is where the host or its password stands: a member would have the school's secret sent to anywhere.
    """
    found = URL.fullmatch(url)
    if not found or url.count(TARGET) != 1 or "{" in url.replace(TARGET, ""):
        return None
    host = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    return None if found[1] in HOSTED and TARGET in host else found[1]


def filled(url: str, target: str) -> str:
    """Returns the URL that reaches one member."""
    return url.replace(TARGET, quote(target, safe=""))
