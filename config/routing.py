"""Following a fleet's references to what a worker needs to know about each host."""

from collections.abc import Mapping
from functools import cached_property
from typing import TypeVar

from config.errors import BadInputError
from config.fleet import Cluster, Credential, Fleet, Host, Proxy, WinRM
from config.problems import did_you_mean
from config.targets import HostTarget, PortForward, ProxyHop, RouteKind

_Declared = TypeVar("_Declared")
_SSH_PORT = 22
_WINRM_PORTS = {"https": 5986, "http": 5985}


def resolve_target(fleet: Fleet, host_name: str) -> HostTarget:
    """One host with its route; what the host leaves open comes from its cluster.

    Raises:
        BadInputError: the fleet has no such host, or refers to something that it doesn't declare.
    """
    return Router(fleet).target(host_name)


class Router:
    """Resolves many hosts of one fleet: what they share is followed once."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ways: dict[str, tuple[ProxyHop, ...]] = {}

    @cached_property
    def cluster_of(self) -> Mapping[str, str]:
        """The cluster of every host, in the order of the fleet."""
        return {host: name for name, cluster in self._fleet.clusters.items() for host in cluster.hosts}

    def target(self, name: str) -> HostTarget:
        """As ``resolve_target``."""
        if name not in self.cluster_of:
            hint = did_you_mean(name, self.cluster_of)
            raise BadInputError(f'The fleet has no host "{name}"' + (f"; {hint}" if hint else "."))
        cluster_name = self.cluster_of[name]
        cluster = self._fleet.clusters[cluster_name]
        host = cluster.hosts[name]
        os = host.os or cluster.os
        winrm = _winrm(host, cluster) if os == "windows" else None
        hops, forward = self._way_to(name, host, cluster)
        # The fleet was validated when it was loaded; again for 10,000 hosts would take most of a second.
        return HostTarget.model_construct(
            name=name,
            cluster=cluster_name,
            os=os,
            pool=cluster.pool,
            address=host.address,
            port=host.port or cluster.port or _default_port(winrm),
            credential=self._credential(host.credential or cluster.credential, f'host "{name}"'),
            route=_kind(hops, forward),
            hops=hops,
            forward=forward,
            host_key=host.host_key,
            become=cluster.become,
            winrm=winrm,
            work_directory=host.work_directory or cluster.work_directory,
            tags=host.tags,
        )

    def _way_to(
        self, name: str, host: Host, cluster: Cluster
    ) -> tuple[tuple[ProxyHop, ...], PortForward | None]:
        # "proxy: null" at a host is set, and so more than a proxy that was left out: go directly.
        proxy_name = host.proxy if "proxy" in host.model_fields_set else cluster.proxy
        if proxy_name is None:
            return (), None
        proxy = self._proxy(proxy_name, f'host "{name}"')
        if proxy.os == "linux":
            return self._hops(proxy_name, ()), None
        if host.forward_port is None:
            raise BadInputError(
                f'Host "{name}" is behind the Windows proxy "{proxy_name}" and has no forward_port; '
                "give the port of the proxy that is forwarded to it."
            )
        before = self._hops(proxy.proxy, (proxy_name,)) if proxy.proxy else ()
        return before, PortForward(name=proxy_name, address=proxy.address, port=host.forward_port)

    def _hops(self, name: str, behind: tuple[str, ...]) -> tuple[ProxyHop, ...]:
        """The proxies up to ``name``, nearest to the worker first; ``behind`` are those that need it."""
        if name in behind:
            raise BadInputError(f'The proxy "{name}" needs itself: {" > ".join((*behind, name))}.')
        if name not in self._ways:
            proxy = self._proxy(name, "a route")
            before = self._hops(proxy.proxy, (*behind, name)) if proxy.proxy else ()
            hop = ProxyHop(
                name=name,
                address=proxy.address,
                port=proxy.port or _SSH_PORT,
                credential=self._credential(proxy.credential, f'proxy "{name}"'),
                host_key=proxy.host_key,
                max_channels=proxy.max_channels,
            )
            self._ways[name] = (*before, hop)
        return self._ways[name]

    def _proxy(self, name: str, whose: str) -> Proxy:
        return _declared(self._fleet.proxies, name, "proxy", whose)

    def _credential(self, name: str | None, whose: str) -> Credential:
        if name is None:
            raise BadInputError(f"There is no credential for {whose}; name one, there or at its cluster.")
        return _declared(self._fleet.credentials, name, "credential", whose)


def _declared(declared: Mapping[str, _Declared], name: str, kind: str, whose: str) -> _Declared:
    if name not in declared:
        raise BadInputError(f'The fleet declares no {kind} "{name}", which {whose} needs.')
    return declared[name]


def _winrm(host: Host, cluster: Cluster) -> WinRM:
    """What the host says, and the cluster where the host says nothing."""
    declared = cluster.winrm or WinRM()
    if host.winrm is None:
        return declared
    said = {name: getattr(host.winrm, name) for name in host.winrm.model_fields_set}
    return declared.model_copy(update=said)


def default_port(host: Host, cluster: Cluster) -> int:
    """The port of a host where neither it nor its cluster names one."""
    return _default_port(_winrm(host, cluster) if (host.os or cluster.os) == "windows" else None)


def _default_port(winrm: WinRM | None) -> int:
    return _SSH_PORT if winrm is None else _WINRM_PORTS[winrm.scheme]


def _kind(hops: tuple[ProxyHop, ...], forward: PortForward | None) -> RouteKind:
    if forward is not None:
        return "forward"
    return "jump" if hops else "direct"
