"""What must hold between Windows proxies and the ports that they forward, on a fleet's plain data."""

from collections.abc import Iterator
from typing import Any

from config.plain import mapping, text
from config.problems import Finding, Path

_Host = tuple[str, str, dict[str, Any]]
_WINRM_PORTS = {"https": 5986, "http": 5985}
_SSH_PORT = 22


def check_forwards(data: Any, hosts: list[_Host], *, pending: bool) -> Iterator[Finding]:
    """What is wrong with forwarded ports: each host behind a Windows proxy needs one of its own.

    Args:
        data: the whole fleet.
        hosts: cluster, name and mapping of each host.
        pending: whether hosts may still be without.
    """
    proxies = mapping(data, "proxies")
    yield from _ports_elsewhere(proxies)
    own = dict(_own_ports(data, hosts))
    taken: dict[tuple[str, int], str] = {}
    for cluster, name, host in hosts:
        path: Path = ("clusters", cluster, "hosts", name, "forward_port")
        proxy = text(host if "proxy" in host else mapping(data, "clusters", cluster), "proxy")
        port = host.get("forward_port")
        if proxy is not None and proxy not in proxies:
            continue
        forwarded = proxy is not None and text(mapping(proxies, proxy), "os") == "windows"
        if proxy is not None and forwarded and port is None and not pending:
            message = f'expected the port of the Windows proxy "{proxy}" that is forwarded to this host'
            hint = "`longshore fleet forwards --write` gives each host one"
            yield Finding(path=path, message=message + ", found none", hint=hint, at_key=True)
        elif not forwarded and port is not None:
            message = "expected forward_port at hosts behind a Windows proxy only, found it elsewhere"
            yield Finding(path=path, message=message, at_key=True)
        elif proxy is not None and isinstance(port, int):
            first = taken.setdefault((proxy, port), name)
            yield from _port(path, port, proxy, mapping(proxies, proxy), own)
            if first != name:
                message = f'expected a port of its own, found {port}, which "{proxy}" forwards to "{first}"'
                yield Finding(path=path, message=message)


def _ports_elsewhere(proxies: dict[str, Any]) -> Iterator[Finding]:
    for name in proxies:
        if text(mapping(proxies, name), "os") == "linux" and mapping(proxies, name).get("ports") is not None:
            message = "expected ports at Windows proxies only, found them at a Linux one"
            yield Finding(path=("proxies", name, "ports"), message=message, at_key=True)


def _port(
    path: Path, port: int, name: str, proxy: dict[str, Any], own: dict[tuple[str, int], str]
) -> Iterator[Finding]:
    declared = text(proxy, "ports")
    first, _, last = (declared or "").partition("-")
    if _is_range(first, last) and not int(first) <= port <= int(last):
        message = f'expected a port from {declared}, those that "{name}" forwards, found {port}'
        yield Finding(path=path, message=message)
    listener = own.get((text(proxy, "address") or "", port))
    if listener is not None:
        message = (
            f'expected a port that is free at "{name}", found {port}, on which its own WinRM or SSH listens'
        )
        yield Finding(path=path, message=f'{message} (host "{listener}")')


def _is_range(first: str, last: str) -> bool:
    return first.isdecimal() and last.isdecimal() and int(first) <= int(last)


def _own_ports(data: Any, hosts: list[_Host]) -> Iterator[tuple[tuple[str, int], str]]:
    """The ports of hosts that are reached at their own address, so also of proxies that are hosts as well."""
    for cluster_name, name, host in hosts:
        cluster = mapping(data, "clusters", cluster_name)
        scheme = text({**mapping(cluster, "winrm"), **mapping(host, "winrm")}, "scheme") or "https"
        default = _SSH_PORT if text(cluster, "os") == "linux" else _WINRM_PORTS.get(scheme)
        port = host.get("port") or cluster.get("port") or default
        address = text(host, "address")
        if address is not None and isinstance(port, int):
            yield (address, port), name
