"""Messages that come twice, or not at all."""

from collections.abc import Iterator

import pytest

from tasks.outcomes import RunState
from tests.chaos.faults import QUEUE, Echo
from tests.chaos.scene import Rollout, Scene

pytestmark = pytest.mark.chaos


def _kept(scene: Scene) -> None:
    assert scene.settle(), scene.story()
    broken = scene.broken()
    assert not broken, "\n".join([*broken, scene.story()])
    assert {run.view().state for run in scene.submitted} == {RunState.SUCCEEDED}, scene.story()


def test_every_message_comes_twice(scene: Scene) -> None:
    scene.site.record.delete("verified")  # so that a verification is among the runs
    echo = Echo(scene)
    with echo.at_work():
        run = scene.deploy(Rollout(hosts=6, steps=(0.1, 0.1), batches=(1, 2, 3)))
        rival = scene.deploy(Rollout(hosts=6, steps=(0.1,), batches=(3,)))
        _kept(scene)

    # Six hosts, their gates, and the same for the rival and for the verifications.
    assert echo.doubled >= 30
    assert len(scene.events(run, "batch")) == 3
    assert len(scene.events(rival, "batch")) == 2


@pytest.fixture
def crewless(scene: Scene) -> Iterator[Scene]:
    """The scene, its workers gone for the time of the test."""
    for worker in tuple(scene.crew):
        scene.crew.remove(worker)
        scene.site.end_worker(worker)
    yield scene
    while len(scene.crew) < 2:
        scene.start_worker()


def test_the_first_message_of_a_run_is_dropped(crewless: Scene) -> None:
    scene = crewless
    run = scene.deploy(Rollout(hosts=2, steps=(0.1,)))
    assert scene.site.broker.delete(QUEUE) == 1

    scene.start_worker()

    _kept(scene)
    assert len(scene.events(run, "batch")) == 2


def test_messages_of_hosts_are_dropped(crewless: Scene) -> None:
    scene = crewless
    run = scene.deploy(Rollout(hosts=4, steps=(0.5,), batches=("100%",)))
    # Its one slot is busy with the first host while the messages of the others wait.
    scene.start_worker(concurrency=1)
    scene.wait_for(lambda: scene.begun(1) == 1 and scene.site.broker.llen(QUEUE) == 3, "messages that wait")
    assert scene.site.broker.delete(QUEUE) == 1

    _kept(scene)
    assert len(scene.events(run, "host_started")) == 4
    assert scene.events(run, "sent_again")
