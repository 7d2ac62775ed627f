"""What a worker needs to know to reach one host: the fleet's references followed to their ends."""

from typing import Literal

from pydantic import Field

from config.fleet import Become, Credential, OperatingSystem, WinRM
from config.values import Name, Port, Value

RouteKind = Literal["direct", "jump", "forward"]


class ProxyHop(Value):
    """One proxy on the way to a host.

    Attributes:
        host_key: accepted public keys; empty means pinned by the first verification.
        max_channels: hosts reached at once over one connection to it.
    """

    name: Name
    address: str
    port: Port = 22
    credential: Credential
    host_key: tuple[str, ...] = ()
    max_channels: int = 64


class PortForward(Value):
    """A port of a Windows proxy that is forwarded to the host.

    Attributes:
        name: the proxy.
        address: the proxy's address.
        port: the forwarded port on the proxy.
    """

    name: Name
    address: str
    port: Port


class HostTarget(Value):
    """One host, with its route and the references to its credential.

    Attributes:
        address: the host's own, also where a forwarded port is what is connected to.
        port: the host's own, as ``address``.
        hops: the SSH proxies in the order in which they are passed, nearest to the worker first.
        forward: for the route ``forward``, where to connect instead, behind any hops.
        host_key: accepted public keys; empty means pinned by the first verification.
        winrm: how WinRM is spoken with it; None for a Linux host.
        work_directory: where run directories go; relative to the login's home.
    """

    name: Name
    cluster: Name
    os: OperatingSystem
    pool: Name
    address: str
    port: Port
    credential: Credential
    route: RouteKind
    hops: tuple[ProxyHop, ...] = ()
    forward: PortForward | None = None
    host_key: tuple[str, ...] = ()
    become: Become | None = None
    winrm: WinRM | None = None
    work_directory: str = ".longshore"
    tags: dict[str, str] = Field(default_factory=dict)

    @property
    def route_text(self) -> str:
        """The route as people read it: ``direct`` or ``via bastion``."""
        names = [hop.name for hop in self.hops] + ([self.forward.name] if self.forward else [])
        return "via " + " > ".join(names) if names else "direct"
