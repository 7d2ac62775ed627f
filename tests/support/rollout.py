"""A person who deploys, for tests of whole runs."""

import os
import secrets
from typing import Any

from lab.sshd import Sshd
from producer import Client, Run
from tasks.record.views import RunView
from tests.support.site import Site
from tests.support.yaml_files import fleet_of, write_yaml

RUN_SECONDS = 60.0


class Rollout:
    """A person at work: fleet and application files, and what becomes of them.

    Attributes:
        home: a folder on the hosts that is this test's alone.
    """

    def __init__(self, site: Site, client: Client, sshd: Sshd) -> None:
        self.site = site
        self.client = client
        self.sshd = sshd
        self.home = sshd.account.home / secrets.token_hex(6)
        self.home.mkdir()
        owner = sshd.account.home.stat()
        os.chown(self.home, owner.st_uid, owner.st_gid)

    def fleet(self, hosts: int = 3, *, proxy: Sshd | None = None) -> dict[str, Any]:
        """A fleet of one cluster, ``web``, on loopback."""
        return fleet_of(self.sshd, hosts, home=self.home, proxy=proxy)

    def submit(
        self, fleet: dict[str, Any], application: dict[str, Any], to: str = "web", **parameters: str
    ) -> Run:
        """Submit a deployment, as files."""
        fleet_file = write_yaml(self.site.folder / "fleet.yaml", fleet)
        application_file = write_yaml(self.site.folder / "shop.yaml", application)
        return self.client.deploy(fleet_file, application_file, to, parameters)

    def end(self, run: Run) -> RunView:
        """Wait for a run's end."""
        self.site.wait_for(lambda: run.view().state.ended, f"the end of run {run.id}", RUN_SECONDS)
        return run.view()

    def deploy(self, fleet: dict[str, Any], application: dict[str, Any], **parameters: str) -> RunView:
        """Submit a deployment, and wait for its end."""
        return self.end(self.submit(fleet, application, **parameters))

    def printed(self, run: Run | RunView, host: str) -> bytes:
        """What a host's log says so far."""
        log = self.site.reader.log(run.id, host)
        return log.head + log.tail


def outcomes(view: RunView) -> list[list[str]]:
    """Outcomes of all hosts, batch by batch."""
    return [[str(host.outcome) for host in batch.hosts] for batch in view.batches]
