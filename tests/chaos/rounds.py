"""One round of chaos: a deployment, faults at drawn moments, and what became of the promises."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import get_args

from config.targets import RouteKind
from producer import Run
from tests.chaos.faults import KINDS, Kind
from tests.chaos.scene import MOST_HOSTS, RUNS_LOOKED_AT, Cluster, Rollout, Scene


@dataclass(frozen=True, kw_only=True)
class Round:
    """What is going to be done.

    Attributes:
        faults: seconds after the start, and the kind of fault then.
        rivals: how many further deployments want the same hosts at the same time.
    """

    seed: int
    rollout: Rollout
    faults: Sequence[tuple[float, Kind]]
    rivals: int = 0


@dataclass(kw_only=True)
class Account:
    """What came of it.

    Attributes:
        notes: what each fault came to.
        broken: promises, in words.
        taken_over: how many hosts went on under another worker.
        stuck: whether a run did not end in its time.
        story: all that is known, when a promise was broken.
    """

    round: Round
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    taken_over: int = 0
    stuck: bool = False
    seconds: float = 0.0
    story: str = ""

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind.name} at {at:.2f} s" for at, kind in self.round.faults)
        told = [f"seed {self.round.seed}: {kinds}; {self.round.rollout}", *self.notes]
        return "\n".join([*told, *(f"BROKEN {each}" for each in self.broken), self.story])


def drawn(seed: int, kinds: Sequence[Kind] = KINDS) -> Round:
    """A round out of a seed: how many hosts and batches, which faults, and when."""
    random = Random(seed)
    steps = [round(random.uniform(0.1, 0.5), 2) for _ in range(random.randint(2, 4))]
    hosts = random.randint(2, MOST_HOSTS)
    chosen = [random.choice(kinds) for _ in range(random.choice((1, 1, 2)))]
    rollout = Rollout(
        hosts=hosts,
        steps=steps,
        idempotent=[number for number in range(1, len(steps) + 1) if random.random() < 0.2],
        batches=random.choice([["100%"], [1, "100%"], [1, 2, 2], [2], ["50%", "100%"]]),
        cluster=random.choice(get_args(Cluster)),
        route=next((kind.route for kind in chosen if kind.route), random.choice(get_args(RouteKind))),
    )
    moments = sorted(random.uniform(0.0, 0.9 * rollout.seconds) for _ in chosen)
    return Round(
        seed=seed,
        rollout=rollout,
        faults=list(zip(moments, chosen, strict=True)),
        rivals=int(random.random() < 0.2),
    )


def play(scene: Scene, what: Round) -> Account:
    """Deploy, do harm, wait for the runs' ends, and look at the promises."""
    account, random = Account(round=what), Random(what.seed)
    began = time.monotonic()
    runs = [scene.deploy(what.rollout) for _ in range(1 + what.rivals)]
    for at, kind in what.faults:
        time.sleep(max(0.0, began + at - time.monotonic()))  # the moment is what was drawn
        account.notes.append(kind.fault(scene, random))
    account.stuck = not scene.settle()
    account.seconds = time.monotonic() - began
    judge(scene, account, runs)
    return account


def judge(scene: Scene, account: Account, runs: Sequence[Run]) -> None:
    """Write down what is broken of the promises."""
    account.broken += scene.broken()
    may_end = {"succeeded", *(state for _, kind in account.round.faults for state in kind.may_end)}
    for run in runs:
        view = run.view()
        account.ends.append(str(view.state))
        account.taken_over += len(scene.events(run, "host_taken_over"))
        if not view.state.ended:
            account.broken.append(f"run {run.id} has not ended: {scene.client.steer.explain(run.id)}")
        elif view.state not in may_end:
            account.broken.append(f"run {run.id} has ended {view.state}: {view.reason}")
    if account.broken:
        account.story = scene.story()


def losses(scene: Scene, worker: str, killed_at: float) -> list[float]:
    """Seconds from a worker's loss until each of its hosts went on under another one.

    Args:
        scene: where it was lost.
        worker: its name.
        killed_at: when, in seconds since 1970 by the record's clock.
    """
    found = []
    for run in scene.submitted[-RUNS_LOOKED_AT:]:
        last: dict[str, str] = {}
        for event in scene.events(run, "host_started", "host_taken_over", "host_finished"):
            if event.kind == "host_taken_over" and last.get(event.host) == worker and event.at > killed_at:
                found.append(event.at - killed_at)
            last[event.host] = event.data.split(" ")[0]
    return found
