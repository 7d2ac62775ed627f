"""Hosts that restart in mid-step or have no space left, and ways to them that go and come back."""

from random import Random
from typing import get_args

import pytest

from config.causes import Cause
from config.targets import RouteKind
from lab.accounts import is_root
from tasks.outcomes import Outcome, RunState, StepState
from tests.chaos.faults import Fault, cut_connections, full_disk, kill_proxy, kill_relay, reboot_host
from tests.chaos.scene import Cluster, Rollout, Scene

pytestmark = pytest.mark.chaos


def _kept(scene: Scene, *states: str) -> None:
    assert scene.settle(), scene.story()
    broken = scene.broken()
    assert not broken, "\n".join([*broken, scene.story()])
    assert [str(run.view().state) for run in scene.submitted] == list(states), scene.story()


BOTH = pytest.mark.parametrize("cluster", get_args(Cluster))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("route", "kill"), [("jump", kill_proxy), ("forward", kill_relay)])
@BOTH
def test_the_proxy_is_killed_and_comes_back(
    scene: Scene, cluster: Cluster, route: RouteKind, kill: Fault, seed: int
) -> None:
    run = scene.deploy(Rollout(hosts=4, steps=(0.3, 0.3), batches=(2,), cluster=cluster, route=route))
    scene.wait_for(lambda: scene.begun(1) > 0, "a host behind the proxy under way")

    kill(scene, Random(seed))

    _kept(scene, RunState.SUCCEEDED)
    assert len(scene.events(run, "route_down")) <= 2


@BOTH
def test_connections_that_are_cut_in_mid_step_are_made_again(scene: Scene, cluster: Cluster) -> None:
    run = scene.deploy(Rollout(hosts=3, steps=(0.1, 1.0, 0.1), batches=("100%",), cluster=cluster))
    scene.wait_for(lambda: scene.begun(2) == 3, "the step under way")

    cut_connections(scene, Random(1))

    _kept(scene, RunState.SUCCEEDED)
    assert scene.events(run, "host_taken_over") == []


@BOTH
def test_a_host_that_restarts_in_mid_step_needs_a_person(scene: Scene, cluster: Cluster) -> None:
    run = scene.deploy(Rollout(hosts=2, steps=(0.1, 20.0, 0.1), batches=(1,), cluster=cluster))
    scene.wait_for(lambda: scene.begun(2) == 1, "the step under way")

    assert reboot_host(scene, Random(1)) == f"{cluster}-1 restarted"

    _kept(scene, RunState.NEEDS_ATTENTION)
    host, other = (each for batch in run.view().batches for each in batch.hosts)
    assert (host.outcome, host.cause) == (Outcome.INDETERMINATE, Cause.HOST_RESTARTED)
    assert [step.state for step in host.steps] == [StepState.OK, StepState.INDETERMINATE, StepState.PENDING]
    assert other.outcome is Outcome.NOT_STARTED
    assert "waiting for a person" in scene.client.steer.explain(run.id)


@BOTH
def test_a_host_that_restarts_in_an_idempotent_step_goes_on(scene: Scene, cluster: Cluster) -> None:
    rollout = Rollout(hosts=2, steps=(0.1, 2.0, 0.1), idempotent=(2,), batches=(1,), cluster=cluster)
    run = scene.deploy(rollout)
    scene.wait_for(lambda: scene.begun(2) == 1, "the step under way")

    assert reboot_host(scene, Random(1)) == f"{cluster}-1 restarted"

    _kept(scene, RunState.SUCCEEDED)
    assert run.view().reason == "every host ended ok"


@pytest.mark.skipif(not is_root(), reason="a disk is mounted by root")
@BOTH
def test_the_disk_of_a_host_is_full(scene: Scene, cluster: Cluster) -> None:
    with full_disk(scene, f"{cluster}-1") as fill:
        fill()
        run = scene.deploy(Rollout(hosts=3, steps=(0.1, 1.0, 0.1), batches=(1, "100%"), cluster=cluster))

        _kept(scene, RunState.FAILED)
    host, *others = (each for batch in run.view().batches for each in batch.hosts)
    assert (host.outcome, host.cause) == (Outcome.FAILED, Cause.DISK_FULL), host
    assert {other.outcome for other in others} == {Outcome.NOT_STARTED}
