"""The demo's topology for real, in network namespaces: segments, a NAT gateway, proxies, hosts, services.

Needs root. All of it lives in namespaces of its own: no packet to these addresses ever leaves them.
"""

import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from lab.namespaces import (
    STATE,
    clean,
    clean_abandoned,
    inside,
    ip_batch,
    make_prefix,
    tool,
    wait_for_listener,
    wait_for_word,
)
from lab.network_plan import (
    GATEWAY,
    PACKAGES,
    PROXY,
    REDIS,
    NetworkPlan,
    Node,
    Segment,
    gateway_rules,
    plan_networks,
)
from lab.network_sshd import NetworkSshd, home_of, key_file, make_login, start_sshd
from lab.network_windows import NetworkWindows
from lab.package import Package, make_package
from lab.package_server import AccessLog

_REPOSITORY: Final = Path(__file__).parent.parent
_PACKAGE_PORT: Final = 80
_REDIS_PORT: Final = 6379


class Topology:
    """The networks, for as long as this context lasts; afterwards nothing of them is left.

    Attributes:
        plan: who stands where.
        prefix: the instance's name; also the login on its hosts.
        sshd: what is known of each running sshd, by name of the host or proxy.
        windows: its Windows hosts and what the Windows proxy forwards, once it is built.
        package: the release that lies on the package server.
    """

    def __init__(
        self,
        *,
        redis_program: str,
        direct: int = 2,
        private: int = 2,
        inside: int = 2,
        desk_direct: int = 1,
        desk_private: int = 2,
        desk_inside: int = 1,
    ) -> None:
        """Plan it; nothing is built yet.

        Args:
            redis_program: path of a Redis server.
            direct: number of hosts in the public segment.
            private: number of private hosts of the official pool.
            inside: number of private hosts of the self-hosted pool.
            desk_direct: number of Windows hosts in the public segment.
            desk_private: number of private Windows hosts of the official pool; 0 has no Windows proxy either.
            desk_inside: number of private Windows hosts of the self-hosted pool.
        """
        self.plan: NetworkPlan = plan_networks(
            direct=direct,
            private=private,
            inside=inside,
            desk_direct=desk_direct,
            desk_private=desk_private,
            desk_inside=desk_inside,
        )
        self.prefix = ""
        self.sshd: dict[str, NetworkSshd] = {}
        self.windows: NetworkWindows
        self.package: Package | None = None
        self._redis_program = redis_program
        self._redis_password = secrets.token_urlsafe(16)
        self._processes: list[subprocess.Popen[Any]] = []

    @property
    def directory(self) -> Path:
        """Where the instance keeps its files."""
        return STATE / self.prefix

    @property
    def user(self) -> str:
        """The login on every Linux host and on the Linux proxy."""
        return self.prefix

    @property
    def key_file(self) -> Path:
        """The private key to it."""
        return key_file(self.prefix)

    @property
    def home(self) -> Path:
        """The login's home, as a command on a host sees it."""
        return home_of(self.prefix)

    @property
    def package_url(self) -> str:
        """The package server, as everyone reaches it."""
        return f"http://{self.plan.nodes[PACKAGES].address}:{_PACKAGE_PORT}"

    @property
    def package_log(self) -> AccessLog:
        """Who pulled what."""
        return AccessLog(self.directory / "access.log")

    def redis_url(self, database: int = 0) -> str:
        """Redis, as everyone reaches it, the password included."""
        return f"redis://:{self._redis_password}@{self.plan.nodes[REDIS].address}:{_REDIS_PORT}/{database}"

    def namespace(self, node: str) -> str:
        """The system's name for a machine's namespace."""
        return f"{self.prefix}-{node}"

    def run(
        self,
        node: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine and wait for its end; a failure is the caller's to judge."""
        return subprocess.run(
            inside(self.namespace(node), argv),
            env=env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def popen(
        self,
        node: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int | IO[bytes] | None = subprocess.DEVNULL,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a command on a machine; it is ended with the topology at the latest."""
        process = subprocess.Popen(
            inside(self.namespace(node), argv),
            env=env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=_REPOSITORY,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def __enter__(self) -> Self:
        clean_abandoned()
        self.prefix = make_prefix()
        self.windows = NetworkWindows(self.plan, self.directory / "windows", self.popen)
        try:
            self._build()
            self.windows.start()
            self._start_hosts()
            self._start_redis()
            self._start_package_server()
            self.windows.wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        clean(self.prefix)
        for process in self._processes:
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        self._processes.clear()

    def _build(self) -> None:
        """Make the namespaces, one switch for each segment, and a cable from each leg to its switch."""
        segments: tuple[Segment, ...] = ("public", "private")
        switches = {segment: self.namespace(f"net-{segment}") for segment in segments}
        nodes = list(self.plan.nodes.values())
        ip_batch(
            f"netns add {name}" for name in [*switches.values(), *(self.namespace(n.name) for n in nodes)]
        )
        for segment, switch in switches.items():
            ip_batch(self._switch(segment, nodes), namespace=switch)
        for node in nodes:
            namespace = self.namespace(node.name)
            ip_batch(self._legs(node), namespace=namespace)
            tool(inside(namespace, ["sh", "-c", _kernel_settings(node)]))
        tool(inside(self.namespace(GATEWAY), ["nft", "-f", "-"]), stdin=gateway_rules())

    def _switch(self, segment: Segment, nodes: Sequence[Node]) -> Iterator[str]:
        yield "link add switch type bridge"
        yield "link set switch up"
        for number, node in enumerate(nodes):
            if segment in node.legs:
                far_end = f"name {segment} netns {self.namespace(node.name)}"
                yield f"link add port{number} type veth peer {far_end}"
                yield f"link set port{number} master switch up"

    def _legs(self, node: Node) -> Iterator[str]:
        yield "link set lo up"
        for segment, address in node.legs.items():
            yield f"address add {address}/24 dev {segment}"
            if has_ipv6():
                # Without nodad the address could not be used for the first second or two.
                yield f"address add {node.legs_v6[segment]}/64 dev {segment} nodad"
            yield f"link set {segment} up"
        # Whoever stands outside asks the gateway for the way in, and is met with silence there.
        if node.role not in {"gateway", "proxy", "windows-proxy"}:
            (segment,) = node.legs
            yield f"route add default via {self.plan.nodes[GATEWAY].legs[segment]}"

    def _start_hosts(self) -> None:
        authorized = make_login(self.prefix)
        for node in self.plan.with_sshd:
            self.sshd[node.name], process = start_sshd(
                self.prefix,
                node.name,
                self.namespace(node.name),
                authorized_key=authorized,
                forward_only=node.name == PROXY,
            )
            self._processes.append(process)

    def _start_redis(self) -> None:
        directory = self.directory / "redis"
        directory.mkdir(mode=0o700)
        process = self.popen(
            REDIS, [self._redis_program, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert process.stdin is not None  # noqa: S101 - stdin=PIPE above
        with process.stdin as settings:
            settings.write(
                f"bind {self.plan.nodes[REDIS].address}\nport {_REDIS_PORT}\ndir {directory}\n"
                "appendonly yes\nmaxmemory-policy noeviction\n"
                f"requirepass {self._redis_password}\n".encode()
            )
        wait_for_listener(process, _REDIS_PORT, "Redis")

    def _start_package_server(self) -> None:
        packages = self.directory / "packages"
        packages.mkdir()
        self.package = make_package(packages, "1.0")
        address = ["--address", self.plan.nodes[PACKAGES].address, "--port", str(_PACKAGE_PORT)]
        files = ["--directory", str(packages), "--log", str(self.directory / "access.log")]
        process = self.popen(
            PACKAGES, [sys.executable, "-m", "lab.package_server", *address, *files], stdout=subprocess.PIPE
        )
        wait_for_word(process, "the package server")


def has_ipv6() -> bool:
    """Whether this machine's kernel gives new namespaces IPv6."""
    setting = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")
    return setting.exists() and setting.read_text().strip() == "0"


def _kernel_settings(node: Node) -> str:
    """The gateway passes packets on; a proxy with two legs must not, or it would be a second gateway."""
    return f"echo {int(node.role == 'gateway')} > /proc/sys/net/ipv4/ip_forward"
