"""Which addresses are public. Pure: no look-up, no socket."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

# IANA special-purpose registries, written out because `is_global` differs between Python releases.
_NOT_PUBLIC_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata service on an address that looks public
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_UNICAST_V6: Final = IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID and other protocol assignments
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries an IPv4 address that nobody checked
        "3fff::/20",
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet, whatever form hides it; what cannot be read is not public."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return _public_v4(parsed) if isinstance(parsed, IPv4Address) else _public_v6(parsed)


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own, in its plain form."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _public_v4(address: IPv4Address) -> bool:
    return address.is_global and not any(address in network for network in _NOT_PUBLIC_V4)


def _public_v6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        # RFC 6052 2.1: the last 32 bits are the IPv4 address that the translator connects to.
        return _public_v4(IPv4Address(address.packed[-4:]))
    if address not in _GLOBAL_UNICAST_V6:  # leaves out ::/96, ::ffff:0:0/96, ULA, link-local, multicast
        return False
    return address.is_global and not any(address in network for network in _NOT_PUBLIC_V6)
