"""What must be reachable, as nftables rules for each machine that is reached."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network
from typing import NamedTuple

from config.reachability import Endpoint, Reach
from config.values import Value, is_ip_address


class _Family(NamedTuple):
    protocol: str
    type: str
    suffix: str
    example: str


_FAMILIES = {
    4: _Family("ip", "ipv4_addr", "", "198.51.100.7"),
    6: _Family("ip6", "ipv6_addr", "_v6", "2001:db8::7"),
}


class MachineRules(Value):
    """The rules for one machine.

    Attributes:
        machine: which is reached, and so where the rules belong.
        text: a file for ``nft -f``.
    """

    machine: Endpoint
    text: str


def nftables_rules(rows: Iterable[Reach]) -> tuple[MachineRules, ...]:
    """Rules for every machine that is reached and may run Linux, in the order in which they first occur.

    They stand in a chain of their own without a hook, so that loading them grants and blocks nothing
    until the machine's own input chain jumps to it: a machine's other services stay its owner's affair.
    """
    by_machine: dict[Endpoint, list[Reach]] = {}
    for row in rows:
        if row.destination.os != "windows":
            by_machine.setdefault(row.destination, []).append(row)
    return tuple(
        MachineRules(machine=machine, text=_text(machine, reaches)) for machine, reaches in by_machine.items()
    )


def _text(machine: Endpoint, reaches: list[Reach]) -> str:
    placeholders = _Placeholders()
    rules = [
        line
        for reach in reaches
        for line in (
            f"    # {reach.source.kind} {reach.source.name}: {reach.why}",
            *(_rule(reach, version, placeholders) for version in _versions(machine)),
        )
    ]
    lines = [
        f"# Longshore: what {machine.name} ({machine.address}) must accept. It takes effect once the input",
        '# chain of table "inet filter" has the rule "jump longshore".',
        "table inet filter {",
        *placeholders.lines,
        "  chain longshore {",
        *rules,
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _versions(machine: Endpoint) -> Iterator[int]:
    """The IP versions by which a machine is reached: both, where its address is a name."""
    if is_ip_address(machine.address):
        yield ip_address(machine.address).version
    else:
        yield from _FAMILIES


def _rule(reach: Reach, version: int, placeholders: "_Placeholders") -> str:
    protocol = _FAMILIES[version].protocol
    networks = _networks(reach.source, version)
    sources = "{ " + ", ".join(networks) + " }" if networks else placeholders.name(reach.source, version)
    return f"    {protocol} saddr {sources} tcp dport {reach.port} accept"


class _Placeholders:
    """Named sets for sources whose addresses a person fills in, each source with a set of its own."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: dict[tuple[str, str, int], str] = {}

    def name(self, source: Endpoint, version: int) -> str:
        """The reference to the set of a source, which is declared at its first use."""
        key = (source.kind, source.name, version)
        if key not in self._names:
            family = _FAMILIES[version]
            name = re.sub(r"[^A-Za-z0-9]", "_", f"{source.kind}_{source.name}") + family.suffix
            while name in self._names.values():  # a-b and a_b must not share one set
                name += "_"
            self._names[key] = name
            self.lines += [
                f"  # to be filled in: the addresses from which {source.kind} {source.name} connects,",
                f"  # as in: elements = {{ {family.example} }}",
                f"  set {name} {{",
                f"    type {family.type}",
                "    flags interval",
                "  }",
            ]
        return f"@{self._names[key]}"


def _networks(source: Endpoint, version: int) -> list[str]:
    networks = [ip_network(address) for address in source.sources]
    # nft refuses overlapping elements.
    ipv4 = collapse_addresses(network for network in networks if isinstance(network, IPv4Network))
    ipv6 = collapse_addresses(network for network in networks if isinstance(network, IPv6Network))
    chosen: list[IPv4Network | IPv6Network] = [*ipv4, *ipv6]
    return [
        str(network.network_address) if network.num_addresses == 1 else str(network)
        for network in chosen
        if network.version == version
    ]
