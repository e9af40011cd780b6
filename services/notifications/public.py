"""Which addresses are out on the Internet. What people and schools name must never make us connect to one inside."""

from __future__ import annotations

import ipaddress


def is_public(address: str) -> bool:
    """Tells whether an IP address may be connected to: global, and no other kind of address wrapped into one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        for inner in (found.ipv4_mapped, found.sixtofour, found.teredo[1] if found.teredo else None):
            if inner is not None:
                return False
        if found in NAT64:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""RFC 6052: an IPv4 address, perhaps one inside, in the shape of a global one."""
