from pathlib import Path
import json
import pytest
from tests.support.site import Site
from tests.support.sshd import Sshd
from tests.integration.runs.test_deployment import write_fleet, write_application
from producer import Client

def test_first(site: Site, sshd: Sshd) -> None:
    write_fleet(site, sshd)
    write_application(site, 'run: echo "v $version on $LONGSHORE_HOST"', rollout="{batches: [1, 2]}")
    site.start_worker("official")
    with Client(site.redis.url(0), site.redis.url(1)) as client:
        run = client.verify(site.folder / "fleet.yaml", "web")
        for p in run.follow():
            for e in p.events: print(e)
        print(run.view())
        run = client.deploy(site.folder / "fleet.yaml", site.folder / "shop.yaml", "web", {"version": "1.4"})
        for p in run.follow():
            for e in p.events: print(e)
        print(run.view())
        print(site.reader.log(run.id, "web-2"))
    print(site.logs())
    assert 0
