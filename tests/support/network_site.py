"""A whole Longshore in the topology's networks: a worker of each pool where it belongs, and a person at work.

The addresses mean something inside the namespaces only, so everything that uses them runs there: the
workers, and each command of the person, who sits on the official worker's machine.
"""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.namespaces import inside, tool
from lab.network_fleet import SELF_HOSTED_POOL, topology_fleet
from lab.network_plan import OFFICIAL, SELF_HOSTED, Segment
from lab.networks import Topology
from lab.winrm import PASSWORD_VARIABLE
from tests.support.processes import comes_true
from tests.support.topology import running_topology
from tests.support.yaml_files import application_of, write_yaml
from workers.supervisor import worker_command

CONNECT_SECONDS = 2.0
LOGIN_SECONDS = 4.0
_ROOT = Path(__file__).resolve().parents[2]


class NetworkSite:
    """The topology with workers in it.

    Attributes:
        folder: where fleet and application files and the workers' logs go.
    """

    def __init__(self, topology: Topology, folder: Path) -> None:
        self.topology = topology
        self.folder = folder
        self._numbers = itertools.count(1)
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "LONGSHORE_REDIS_URL": topology.redis_url(0),
            "LONGSHORE_RECORD_URL": topology.redis_url(1),
            "LONGSHORE_CONNECT_TIMEOUT": f"{CONNECT_SECONDS:g}",
            "LONGSHORE_LOGIN_TIMEOUT": f"{LOGIN_SECONDS:g}",
        }

    def start_workers(self) -> None:
        """Start one worker of each pool, and wait until both live."""
        self._start(OFFICIAL, worker_command(["official"], concurrency=8, name="official@topology"))
        joining = ["worker", "--pool", SELF_HOSTED_POOL, "--concurrency", "8"]
        self._start(SELF_HOSTED, [sys.executable, "-m", "producer", *joining])
        assert comes_true(self._both_live, 30.0), self.logs()

    def _start(self, node: str, command: list[str]) -> None:
        environment = {**self._environment, PASSWORD_VARIABLE: self.topology.windows.password}
        with (self.folder / f"{node}.log").open("wb") as log:
            self.topology.popen(node, command, env=environment, stdout=log, stderr=log)

    def _both_live(self) -> bool:
        pools = json.loads(self.longshore("pools", "--json").stdout)["pools"]
        return {pool["name"] for pool in pools if pool["workers"]} == {"official", SELF_HOSTED_POOL}

    def logs(self) -> str:
        """What the workers have logged."""
        paths = sorted(self.folder.glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')}" for path in paths)

    def longshore(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the person, run to its end."""
        program = [sys.executable, "-m", "producer", *words]
        return self.topology.run(OFFICIAL, program, env=self._environment, timeout=100.0)

    def fleet(self) -> dict[str, Any]:
        """The topology's fleet, for a test to change."""
        return topology_fleet(self.topology)

    def verify(self, fleet: dict[str, Any], *targets: str) -> dict[str, Any]:
        """Verify, and show the run after its end."""
        return self.ended(self._submitted("verify", *targets, "--fleet", self.written("fleet", fleet)))

    def deploy(self, fleet: dict[str, Any], application: dict[str, Any], to: str) -> dict[str, Any]:
        """Deploy, and show the run after its end."""
        return self.ended(self.submit(fleet, application, to))

    def submit(self, fleet: dict[str, Any], application: dict[str, Any], to: str) -> str:
        """Begin a deployment; the run's id."""
        files = [self.written("shop", application), "--fleet", self.written("fleet", fleet)]
        return self._submitted("deploy", *files, "--to", to)

    def ended(self, run: str) -> dict[str, Any]:
        """Wait for a run's end, and show it."""
        watched = self.longshore("watch", run, "--json")
        assert watched.returncode in {0, 1, 3}, watched.stderr + self.logs()
        view: dict[str, Any] = json.loads(watched.stdout)
        return view

    def shown(self, run: str) -> dict[str, Any]:
        """A run as ``show --json`` has it."""
        view: dict[str, Any] = json.loads(self.longshore("show", run, "--json").stdout)
        return view

    def printed(self, run: str, host: str) -> str:
        """What a host has printed so far."""
        return self.longshore("logs", run, host).stdout

    def written(self, name: str, document: dict[str, Any]) -> str:
        """The path of a new file with this in it."""
        return str(write_yaml(self.folder / f"{self.new_name(name)}.yaml", document))

    def new_name(self, name: str) -> str:
        """A name that nothing else at this site has."""
        return f"{name}-{next(self._numbers)}"

    def _submitted(self, *words: str) -> str:
        done = self.longshore(*words, "--detach", "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        return str(json.loads(done.stdout)["id"])

    def came_from(self, node: str) -> list[str]:
        """The addresses from which a host or the Linux proxy has been logged in to, by its own log."""
        windows = self.topology.windows.hosts.get(node)
        if windows is None:
            log, login = self.topology.sshd[node].log, r"^Accepted publickey for \S+ from (\S+) port"
        else:
            log, login = windows.log, r"^\S+ (\S+) Create$"
        return re.findall(login, log.read_text(), re.MULTILINE)

    def address(self, node: str, segment: Segment) -> str:
        """A machine's address in a segment."""
        return self.topology.plan.nodes[node].legs[segment]

    @contextmanager
    def cut(self, node: str, **rules: str) -> Iterator[None]:
        """Give a machine further nftables rules for the time of the block.

        Args:
            node: the machine.
            rules: by hook: ``input``, ``forward`` or ``output``.
        """
        chains = "".join(
            f"  chain {hook} {{\n    type filter hook {hook} priority -10;\n    {text}\n  }}\n"
            for hook, text in rules.items()
        )
        nft = inside(self.topology.namespace(node), ["nft"])
        tool([*nft, "-f", "-"], stdin=f"table ip cut {{\n{chains}}}\n")
        try:
            yield
        finally:
            tool([*nft, "delete", "table", "ip", "cut"])


@contextmanager
def running_network_site(folder: Path) -> Iterator[NetworkSite]:
    """The topology with a worker of each pool."""
    with running_topology() as topology:
        site = NetworkSite(topology, folder)
        site.start_workers()
        yield site


def hosts(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All hosts of a shown run, by name."""
    return {host["name"]: host for batch in view["batches"] for host in batch["hosts"]}


def ends(view: dict[str, Any]) -> dict[str, tuple[str, str | None, str]]:
    """Outcome, cause and route of each host of a shown run."""
    return {name: (host["outcome"], host["cause"], host["route"]) for name, host in hosts(view).items()}


def shop(site: NetworkSite, file: str = "shop-1.0.tar.gz", **fetch: str) -> dict[str, Any]:
    """The application, in a folder of its own on each host."""
    package = site.topology.package
    assert package is not None
    folder = f"{site.topology.home}/{site.new_name('shop')}"
    archive, release = f"{folder}/shop.tgz", f"{folder}/releases/1.0"
    wanted = {"url": f"{site.topology.package_url}/{file}", "sha256": package.sha256, "to": archive, **fetch}
    return application_of(
        {"run": f"mkdir -p {folder}"},
        {"name": "pull", "fetch": wanted},
        {"unpack": {"archive": archive, "to": release}},
        {"run": "sh ./install.sh 1.0", "in": release},
        {"link": {"from": f"{folder}/current", "to": release}},
    )
