"""What must hold between the parts of a fleet, checked on its plain data."""

from collections.abc import Iterator
from typing import Any

from config.forward_checks import check_forwards
from config.plain import mapping, text
from config.problems import Finding, Path, did_you_mean, listed
from config.winrm_checks import check_linux_login, check_windows_cluster

_MOST_SHOWN = 3


def check_fleet(data: Any, *, forwards_pending: bool = False) -> Iterator[Finding]:
    """Everything that is wrong between the parts of a fleet, whatever the parts themselves look like.

    Args:
        data: the fleet as it was read.
        forwards_pending: whether hosts behind Windows proxies may still be without a forward_port.
    """
    yield from _references(data)
    yield from _names(data)
    yield from _proxies(data)
    for name in mapping(data, "clusters"):
        yield from _cluster(data, name)
    yield from check_forwards(data, list(_all_hosts(data)), pending=forwards_pending)


def _hosts(data: Any, cluster: str) -> dict[str, Any]:
    """The hosts of a cluster; a host in its short form is one with nothing but an address."""
    hosts = mapping(data, "clusters", cluster, "hosts")
    return {name: _long_form(host) for name, host in hosts.items()}


def _long_form(host: Any) -> dict[str, Any]:
    if isinstance(host, str):
        return {"address": host}
    return host if isinstance(host, dict) else {}


def _all_hosts(data: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for cluster in mapping(data, "clusters"):
        for name, host in _hosts(data, cluster).items():
            yield cluster, name, host


def _referrers(data: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    for name in mapping(data, "proxies"):
        yield ("proxies", name), mapping(data, "proxies", name)
    for name in mapping(data, "clusters"):
        yield ("clusters", name), mapping(data, "clusters", name)
    for cluster, name, host in _all_hosts(data):
        yield ("clusters", cluster, "hosts", name), host


def _references(data: Any) -> Iterator[Finding]:
    sections = {"pool": "pools", "credential": "credentials", "proxy": "proxies"}
    declared = {key: mapping(data, section) for key, section in sections.items()}
    for path, referrer in _referrers(data):
        for key, names in declared.items():
            name = text(referrer, key)
            if name is not None and name not in names:
                yield Finding(
                    path=(*path, key),
                    message=f'expected a {key} that is declared under {sections[key]}, found "{name}"',
                    hint=did_you_mean(name, names) or f"declared: {listed(names)}",
                )


def _names(data: Any) -> Iterator[Finding]:
    """Targets and known host keys go by name alone, so clusters, hosts and proxies share one set of names."""
    owner = dict.fromkeys(mapping(data, "clusters"), "a cluster")
    for name in mapping(data, "proxies"):
        if name in owner:
            yield _taken(("proxies", name), name, owner[name])
        owner.setdefault(name, "a proxy")
    for cluster, name, _ in _all_hosts(data):
        if name in owner:
            yield _taken(("clusters", cluster, "hosts", name), name, owner[name])
        owner.setdefault(name, f'a host of cluster "{cluster}"')


def _taken(path: Path, name: str, owner: str) -> Finding:
    message = f'expected a name of its own, found "{name}", which is also {owner}'
    return Finding(path=path, message=message, at_key=True)


def _proxies(data: Any) -> Iterator[Finding]:
    proxies = mapping(data, "proxies")
    in_known_cycle: set[str] = set()
    for name in proxies:
        proxy = mapping(proxies, name)
        path: Path = ("proxies", name)
        if text(proxy, "os") == "linux" and proxy.get("credential") is None:
            message = "expected a credential to log in to the Linux proxy, found none"
            yield Finding(path=(*path, "credential"), message=message, at_key=True)
        if text(proxy, "os") == "linux":
            yield from check_linux_login(data, path, proxy)
        before = text(proxy, "proxy")
        if before is not None and text(mapping(proxies, before), "os") == "windows":
            message = f'expected a Linux proxy in front of a proxy, found the Windows proxy "{before}"'
            yield Finding(path=(*path, "proxy"), message=message)
        way = _way(proxies, name)
        if len(way) > 1 and way[-1] == name and name not in in_known_cycle:
            in_known_cycle.update(way)
            message = f"expected a way that ends, found a proxy that needs itself: {' > '.join(way)}"
            yield Finding(path=(*path, "proxy"), message=message)


def _way(proxies: dict[str, Any], name: str) -> list[str]:
    """The proxies behind which ``name`` stands; ends where a name comes the second time."""
    way = [name]
    while (following := text(mapping(proxies, way[-1]), "proxy")) is not None:
        way.append(following)
        if way.count(following) > 1:
            break
    return way


def _cluster(data: Any, name: str) -> Iterator[Finding]:
    cluster = mapping(data, "clusters", name)
    os = text(cluster, "os")
    path: Path = ("clusters", name)
    hosts = _hosts(data, name)
    if cluster.get("credential") is None:
        without = [host for host, values in hosts.items() if values.get("credential") is None]
        if without:
            yield _no_credential(path, without)
    if os == "linux":
        yield from _linux(data, path, cluster)
    if os == "windows":
        yield from check_windows_cluster(data, name, hosts)
    for host, values in hosts.items():
        host_path = (*path, "hosts", host)
        if os == "linux":
            yield from _linux(data, host_path, values)
        own = text(values, "os")
        if own is not None and os is not None and own != os:
            message = f'expected {os}, the os of cluster "{name}", found "{own}"'
            yield Finding(path=(*host_path, "os"), message=message, hint="put the host into another cluster")


def _no_credential(path: Path, hosts: list[str]) -> Finding:
    shown = hosts[:_MOST_SHOWN] + ([f"{len(hosts) - _MOST_SHOWN} more"] if len(hosts) > _MOST_SHOWN else [])
    message = f"expected a credential, as {listed(shown)} {'has' if len(hosts) == 1 else 'have'} no other"
    return Finding(path=(*path, "credential"), message=message + ", found none", at_key=True)


def _linux(data: Any, path: Path, values: dict[str, Any]) -> Iterator[Finding]:
    yield from check_linux_login(data, path, values)
    if values.get("winrm") is not None:
        message = "expected winrm at Windows hosts only, found it at a Linux one"
        yield Finding(path=(*path, "winrm"), message=message, at_key=True)
