"""Which port of a Windows proxy is forwarded to which host, and what the proxy must be told for it."""

from collections.abc import Iterable, Iterator, Mapping

from config.causes import Cause
from config.errors import BadInputError
from config.fleet import Cluster, Fleet, Host, Proxy
from config.problems import did_you_mean
from config.routing import default_port
from config.values import Value, is_ip_address

DEFAULT_PORTS = "15000-15999"
"""The range of a proxy that declares none."""
UNKNOWN_ADDRESSES = "ADDRESSES"
"""What a firewall rule has in place of addresses that the fleet doesn't tell; Windows refuses it."""
# RPC, NetBIOS, SMB, RDP, WinRM: what a Windows machine listens on by itself.
_TAKEN_BY_WINDOWS = frozenset({135, 139, 445, 3389, 5985, 5986, 47001})


class Forward(Value):
    """A port of a Windows proxy, and the host that it leads to.

    Attributes:
        port: on the proxy.
        target_port: on the host.
        new: the fleet doesn't have it yet.
    """

    proxy: str
    cluster: str
    host: str
    pool: str
    port: int
    address: str
    target_port: int
    new: bool


def forwards(fleet: Fleet, proxy: str | None = None) -> tuple[Forward, ...]:
    """The forwards of the fleet's Windows proxies, in the order of the fleet.

    A host keeps the port that it has. One without gets the lowest of its proxy's range that is free, so that
    written down in the fleet, ports stay where they are whichever hosts come and go.

    Args:
        fleet: as loaded; hosts may still be without a forward_port.
        proxy: this one's alone.

    Raises:
        BadInputError: there is no such Windows proxy, or more hosts are behind it than its range has ports.
    """
    windows = {name: value for name, value in fleet.proxies.items() if value.os == "windows"}
    if proxy is not None and proxy not in windows:
        hint = did_you_mean(proxy, windows)
        raise BadInputError(f'The fleet has no Windows proxy "{proxy}"' + (f"; {hint}" if hint else "."))
    chosen = windows if proxy is None else {proxy: windows[proxy]}
    return tuple(forward for name, value in chosen.items() for forward in _of_proxy(fleet, name, value))


def _of_proxy(fleet: Fleet, name: str, proxy: Proxy) -> Iterator[Forward]:
    behind = list(_behind(fleet, name))
    taken = {host.forward_port for _, _, _, host in behind} | _TAKEN_BY_WINDOWS
    taken |= {
        _target_port(host, cluster)
        for cluster in fleet.clusters.values()
        for host in cluster.hosts.values()
        if host.address == proxy.address
    }
    declared = proxy.ports or DEFAULT_PORTS
    first, _, last = declared.partition("-")
    free = (port for port in range(int(first), int(last) + 1) if port not in taken)
    for cluster_name, cluster, host_name, host in behind:
        port = host.forward_port or next(free, None)
        if port is None:
            raise BadInputError(
                f'The Windows proxy "{name}" has no port left for host "{host_name}" in {declared}. '
                "Give it a wider range as `ports:` in the fleet."
            )
        yield Forward(
            proxy=name,
            cluster=cluster_name,
            host=host_name,
            pool=cluster.pool,
            port=port,
            address=host.address,
            target_port=_target_port(host, cluster),
            new=host.forward_port is None,
        )


def _behind(fleet: Fleet, proxy: str) -> Iterator[tuple[str, Cluster, str, Host]]:
    for cluster_name, cluster in fleet.clusters.items():
        for host_name, host in cluster.hosts.items():
            if (host.proxy if "proxy" in host.model_fields_set else cluster.proxy) == proxy:
                yield cluster_name, cluster, host_name, host


def _target_port(host: Host, cluster: Cluster) -> int:
    return host.port or cluster.port or default_port(host, cluster)


class Commands(Value):
    """What an administrator of a Windows proxy runs in PowerShell there.

    Attributes:
        proxy: the machine on which they are run.
        setup: makes every forward, and lets in who needs it; may be run again.
        check: shows what is there.
        remove: takes all of it away.
        unknown: pools and proxies whose addresses the fleet doesn't tell.
    """

    proxy: str
    setup: tuple[str, ...]
    check: tuple[str, ...]
    remove: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def commands(fleet: Fleet, rows: Iterable[Forward]) -> tuple[Commands, ...]:
    """The commands for each Windows proxy, in the order of the forwards."""
    by_proxy: dict[str, list[Forward]] = {}
    for row in rows:
        by_proxy.setdefault(row.proxy, []).append(row)
    return tuple(_commands(fleet, name, of_proxy) for name, of_proxy in by_proxy.items())


def _commands(fleet: Fleet, name: str, rows: list[Forward]) -> Commands:
    address = fleet.proxies[name].address
    rules = list(_rules(fleet, rows))
    setup = ["Set-Service -Name iphlpsvc -StartupType Automatic", "Start-Service -Name iphlpsvc"]
    setup += [add_command(address, row) for row in rows]
    setup += [line for rule in rules for line in rule.setup]
    check = ["Get-Service -Name iphlpsvc", "netsh interface portproxy show all"]
    check += [f"Get-NetFirewallRule -Name '{rule.name}' | Get-NetFirewallAddressFilter" for rule in rules]
    check += [f"Test-NetConnection -ComputerName {row.address} -Port {row.target_port}" for row in rows]
    remove = [_delete_command(address, row) for row in rows]
    remove += [f"Remove-NetFirewallRule -Name '{rule.name}'" for rule in rules]
    return Commands(
        proxy=name,
        setup=tuple(setup),
        check=tuple(check),
        remove=tuple(remove),
        unknown=tuple(f"{rule.kind} {rule.source}" for rule in rules if not rule.addresses),
    )


class _Rule(Value):
    """A rule of the Windows firewall: the ports to which one pool or one Linux proxy connects."""

    kind: str
    source: str
    addresses: tuple[str, ...]
    ports: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"longshore-{self.kind}-{self.source}"

    @property
    def setup(self) -> tuple[str, str]:
        # A rule of that name that is there already would make the new one fail.
        made = (
            f"New-NetFirewallRule -Name '{self.name}' -DisplayName 'Longshore: {self.kind} {self.source}'"
            f" -Direction Inbound -Protocol TCP -LocalPort {','.join(map(str, self.ports))}"
            f" -RemoteAddress {','.join(self.addresses) or UNKNOWN_ADDRESSES} -Action Allow"
        )
        return f"Remove-NetFirewallRule -Name '{self.name}' -ErrorAction SilentlyContinue", made


def _rules(fleet: Fleet, rows: list[Forward]) -> Iterator[_Rule]:
    ports: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        before = fleet.proxies[row.proxy].proxy
        ports.setdefault(("proxy", before) if before else ("pool", row.pool), []).append(row.port)
    for (kind, source), numbers in ports.items():
        addresses = fleet.pools[source].addresses if kind == "pool" else _from_proxy(fleet.proxies[source])
        yield _Rule(kind=kind, source=source, addresses=addresses, ports=tuple(sorted(numbers)))


def _from_proxy(proxy: Proxy) -> tuple[str, ...]:
    return proxy.addresses or ((proxy.address,) if is_ip_address(proxy.address) else ())


def add_command(proxy_address: str, row: Forward) -> str:
    """The command that makes one forward; it replaces what the port was forwarded to before."""
    kind, listen = _listening(proxy_address, row)
    return (
        f"netsh interface portproxy add {kind} listenaddress={listen} listenport={row.port} "
        f"connectaddress={row.address} connectport={row.target_port}"
    )


def _delete_command(proxy_address: str, row: Forward) -> str:
    kind, listen = _listening(proxy_address, row)
    return f"netsh interface portproxy delete {kind} listenaddress={listen} listenport={row.port}"


def _listening(proxy_address: str, row: Forward) -> tuple[str, str]:
    # Any of its own addresses: the one in the fleet may be a router's in front of it.
    here, listen = ("6", "::") if ":" in proxy_address else ("4", "0.0.0.0")  # noqa: S104 - the rule says who
    there = "6" if ":" in row.address else "4"
    return f"v{here}tov{there}", listen


class Verdict(Value):
    """What a verification has shown of one forward.

    Attributes:
        state: ``missing`` is nothing that answers on the proxy, ``dead`` a forward whose host doesn't answer,
            ``elsewhere`` one that leads to another machine, or to one with another certificate.
        run: what to run on the proxy; empty when nothing is to be done there.
    """

    forward: Forward
    state: str
    cause: str = ""
    run: tuple[str, ...] = ()


_STATES: Mapping[str, str] = {
    Cause.PROXY_TCP_REFUSED: "missing",
    Cause.PROXY_TCP_TIMEOUT: "missing",
    Cause.PROXY_FORWARD_REFUSED: "dead",
    Cause.PROXY_FORWARD_TIMEOUT: "dead",
    Cause.TLS: "elsewhere",
    Cause.HOST_KEY_CHANGED: "elsewhere",
    Cause.PROXY_DNS: "unknown",
    Cause.PROXY_TCP_UNREACHABLE: "unknown",
    Cause.PROXY_LOST: "unknown",
    Cause.WORKER_LOST: "unknown",
    Cause.CREDENTIAL: "unknown",
    Cause.CANCELLED: "unknown",
    Cause.BUSY: "unknown",
    Cause.INTERNAL: "unknown",
}


def verdicts(
    fleet: Fleet, rows: Iterable[Forward], outcomes: Mapping[str, tuple[str | None, str | None]]
) -> tuple[Verdict, ...]:
    """What a run has shown of each forward.

    Args:
        fleet: as loaded.
        rows: its forwards.
        outcomes: outcome and cause of each host of the run.
    """
    return tuple(
        _verdict(fleet.proxies[row.proxy].address, row, *outcomes.get(row.host, (None, None))) for row in rows
    )


def _verdict(proxy_address: str, row: Forward, outcome: str | None, cause: str | None) -> Verdict:
    if outcome is None or outcome == "not_started":
        return Verdict(forward=row, state="not verified")
    # What fails later than the forward, such as a login, has come through it.
    state = "works" if outcome == "ok" else _STATES.get(cause or "", "works")
    look = "netsh interface portproxy show all"
    run = {
        "missing": (look, add_command(proxy_address, row)),
        "dead": (f"Test-NetConnection -ComputerName {row.address} -Port {row.target_port}",),
        "elsewhere": (look, add_command(proxy_address, row)),
    }.get(state, ())
    return Verdict(forward=row, state=state, cause=cause or "", run=run)
