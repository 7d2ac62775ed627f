"""What a worker needs to know to reach one host: the fleet's references followed to their ends."""

from typing import Literal

from config.fleet import Become, Credential, OperatingSystem
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


class HostTarget(Value):
    """One host, with its route and the references to its credential.

    Attributes:
        hops: the proxies in the order in which they are passed, nearest to the worker first.
        host_key: accepted public keys; empty means pinned by the first verification.
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
    host_key: tuple[str, ...] = ()
    become: Become | None = None
    work_directory: str = ".longshore"
    tags: dict[str, str] = {}

    @property
    def route_text(self) -> str:
        """The route as people read it: ``direct`` or ``via bastion``."""
        return "via " + " > ".join(hop.name for hop in self.hops) if self.hops else "direct"
