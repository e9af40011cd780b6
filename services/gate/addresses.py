"""Where a webhook may go: to public addresses only, so that nobody can have the gate knock inside its own walls.

What a name resolves to is judged, not the name; and the connection is made to the very address that was judged.
Sources: the IANA registries of special-purpose addresses (RFC 6890 and what updates it), RFC 6052, RFC 3056, RFC 4380.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

LONGEST_URL = 500
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\.?|\[[0-9A-Fa-f:.]{2,45}\]")
UNSAFE = re.compile(r"[^!-~]|[\\\"<>^`{|}]")

CLOSED4 = tuple(
    map(
        IPv4Network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
            *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # a cloud's own service to its machines, at an address that looks public
        ),
    )
)
OPEN6 = IPv6Network("2000::/3")
"""All the global unicast that was ever handed out; everything else is closed."""
CLOSED6 = tuple(
    map(
        IPv6Network,
        ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "3ffe::/16"),
    )
)
"""Within that: protocol assignments (Teredo among them), examples, 6to4, AS112, and the old experiment's."""
LOOPBACK4, LOOPBACK6 = IPv4Network("127.0.0.0/8"), IPv6Address("::1")


class Refused(Exception):
    """The gate does not go there. The text is a code."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in parts, judged as far as that is possible before its name is resolved."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        named = f"[{self.host}]" if ":" in self.host else self.host
        return named if self.port == (443 if self.scheme == "https" else 80) else f"{named}:{self.port}"

    def at(self, address: str) -> str:
        """Returns the URL that connects to this address and no other."""
        return f"{self.scheme}://{f'[{address}]' if ':' in address else address}:{self.port}{self.path}"


def parse(url: str, *, loopback: bool = False) -> Target:
    """Returns the URL's parts; raises Refused. `loopback`: this machine may be meant, and then plain http will do."""
    if len(url) > LONGEST_URL or UNSAFE.search(url):
        raise Refused("url_unsafe")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("url_unsafe") from None
    if parts.scheme not in {"https", *(("http",) if loopback else ())}:
        raise Refused("https_needed")
    if parts.username is not None or parts.password is not None or parts.fragment or port == 0:
        raise Refused("url_unsafe")
    host = _host(parts)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)


def _host(parts: SplitResult) -> str:
    authority = parts.netloc.rpartition("@")[2]
    named = authority if authority.endswith("]") else re.sub(r":\d*$", "", authority)
    if HOST.fullmatch(named) is None:
        raise Refused("url_unsafe")
    return named.strip("[]").lower()


def judge(addresses: list[str], *, loopback: bool = False) -> list[str]:
    """Returns the addresses that a name resolved to, if every one may be gone to; raises Refused.

    One that may not closes all: who mixes an inner address among outer ones wants something.
    """
    if not addresses:
        raise Refused("name_unknown")
    for one in addresses:
        if not (is_open(one) or (loopback and is_loopback(one))):
            raise Refused("address_closed")
    return addresses


def judge_named(target: Target, *, loopback: bool = False) -> None:
    """Raises Refused when the URL itself names an address that may not be gone to; a name is judged when it is used."""
    try:
        ip_address(target.host)
    except ValueError:
        return
    judge([target.host], loopback=loopback)


def is_open(address: str) -> bool:
    """Tells whether it is a public unicast address of a machine outside."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return not any(found in one for one in CLOSED4)
    return found.scope_id is None and found in OPEN6 and not any(found in one for one in CLOSED6)


def is_loopback(address: str) -> bool:
    """Tells whether it is this machine itself, said plainly."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return found in LOOPBACK4 if isinstance(found, IPv4Address) else found == LOOPBACK6
