"""``python -m tests.chaos``: schedules of faults, drawn from a seed, and a table of what came of them."""

import argparse
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue

from lab.accounts import Account as Login
from lab.accounts import temporary_account
from tests.chaos.faults import KINDS
from tests.chaos.rounds import MOST_HOSTS, Account, drawn, judge, losses, play
from tests.chaos.rounds import Round as What
from tests.chaos.scene import SHORT_LEASES, Rollout, Scene, running_scene

ROUNDS_PER_SCENE = 25
"""A scene is left after so many rounds: its logs are read in each of them."""
HOSTS_LOST = Rollout(hosts=4, steps=(60.0,), batches=("100%",))
LIMIT_SECONDS = 30.0
"""The hosts of a lost worker go on within this time, in the median, with the settings as they are."""


def main() -> int:
    """Run the schedules and print the figures; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=main.__doc__)
    parser.add_argument("--runs", type=int, default=200, help="how many schedules")
    parser.add_argument("--seed", type=int, default=1, help="of the first one; the others count on from it")
    parser.add_argument("--lanes", type=int, default=3, help="how many at the same time")
    parser.add_argument("--losses", type=int, default=5, help="workers lost with default leases, and timed")
    parser.add_argument("--stories", type=Path, default=Path(".cache/chaos"), help="where failures are told")
    arguments = parser.parse_args()
    seeds: SimpleQueue[int] = SimpleQueue()
    for seed in range(arguments.seed, arguments.seed + arguments.runs):
        seeds.put(seed)
    began = time.monotonic()
    with temporary_account() as login, ThreadPoolExecutor(arguments.lanes) as lanes:
        timed = [lanes.submit(_loss, login) for _ in range(arguments.losses)]
        played = [lanes.submit(lambda: list(_lane(login, seeds))) for _ in range(arguments.lanes)]
        accounts = [account for each in played for account in each.result()]
        lost = [each.result() for each in timed]
    _tell_stories(accounts + [account for account, _ in lost], arguments.stories)
    print(_table(accounts, lost, seconds=time.monotonic() - began))
    kept = not any(account.broken for account in (*accounts, *(account for account, _ in lost)))
    return 0 if kept and _median_kept(lost) else 1


def _lane(login: Login, seeds: "SimpleQueue[int]") -> Iterator[Account]:
    """Rounds one after the other, in scenes that are left after a while, and after whatever went wrong."""
    while not seeds.empty():
        with (
            tempfile.TemporaryDirectory(prefix="longshore-chaos-") as folder,
            running_scene(Path(folder), login, **SHORT_LEASES) as scene,
        ):
            scene.verify(MOST_HOSTS)
            yield from _rounds(scene, seeds)


def _rounds(scene: Scene, seeds: "SimpleQueue[int]") -> Iterator[Account]:
    for _ in range(ROUNDS_PER_SCENE):
        try:
            seed = seeds.get_nowait()
        except Empty:
            return
        account = _played(scene, seed)
        sys.stderr.write(f"{seed}: {'BROKEN' if account.broken else 'kept'}, {account.seconds:.0f} s\n")
        yield account
        if account.broken:
            return


def _played(scene: Scene, seed: int) -> Account:
    what = drawn(seed)
    try:
        return play(scene, what)
    except Exception as error:  # noqa: BLE001 - a schedule that can't be carried out is told as one that failed
        broken = [f"the schedule could not be carried out: {type(error).__name__}: {error}"]
        return Account(round=what, broken=broken, story=scene.story())


def _loss(login: Login) -> tuple[Account, list[float]]:
    """Kill one of two workers, with the settings as they are; when each of its hosts went on."""
    with (
        tempfile.TemporaryDirectory(prefix="longshore-chaos-") as folder,
        running_scene(Path(folder), login) as scene,
    ):
        return _timed(scene)


def _timed(scene: Scene) -> tuple[Account, list[float]]:
    account = Account(round=What(seed=0, rollout=HOSTS_LOST, faults=()))
    run = scene.deploy(HOSTS_LOST)
    scene.wait_for(lambda: len(scene.events(run, "host_started")) == HOSTS_LOST.hosts, "all hosts under way")
    holders = Counter(scene.holders().values())
    name = holders.most_common(1)[0][0]
    worker = next(each for each in scene.crew if scene.name_of(each) == name)
    scene.crew.remove(worker)
    killed_at = scene.now()
    scene.site.end_worker(worker, number=signal.SIGKILL)
    scene.wait_for(lambda: len(losses(scene, name, killed_at)) == holders[name], "its hosts going on", 90.0)
    account.stuck = not scene.settle()
    judge(scene, account, [run])
    return account, losses(scene, name, killed_at)


def _median_kept(lost: Sequence[tuple[Account, list[float]]]) -> bool:
    times = [seconds for _, each in lost for seconds in each]
    return not times or statistics.median(times) < LIMIT_SECONDS


def _tell_stories(accounts: Sequence[Account], folder: Path) -> None:
    numbers = count(1)
    for account in accounts:
        if account.broken:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{next(numbers)}-seed-{account.round.seed}.txt").write_text(str(account))


def _table(
    accounts: Sequence[Account], lost: Sequence[tuple[Account, list[float]]], *, seconds: float
) -> str:
    faults = Counter(kind.name for account in accounts for _, kind in account.round.faults)
    broken = [account for account in accounts if account.broken]
    ends = Counter(end for account in accounts for end in account.ends)
    times = [each for _, found in lost for each in found]
    rows = [("schedules", f"{len(accounts)}, in {seconds:.0f} s"), ("runs", f"{ends.total()}")]
    rows += [(f"  {end}", str(number)) for end, number in ends.most_common()]
    rows += [("faults", str(faults.total()))]
    rows += [(f"  {kind.name}", str(faults[kind.name])) for kind in KINDS]
    rows += [
        ("hosts that went on under another worker", str(sum(account.taken_over for account in accounts))),
        ("promises broken", str(sum(len(account.broken) for account in broken))),
        ("  seeds", ", ".join(str(account.round.seed) for account in broken) or "none"),
        ("stuck", str(sum(account.stuck for account in accounts))),
        ("default leases: workers lost", str(len(lost))),
        ("  their hosts", str(len(times))),
    ]
    if times:
        rows += [
            ("  went on after, median", f"{statistics.median(times):.1f} s"),
            ("  went on after, longest", f"{max(times):.1f} s"),
        ]
    rows += [("  promises broken", str(sum(len(account.broken) for account, _ in lost)))]
    width = max(len(name) for name, _ in rows)
    text = "\n".join(f"{name:{width}}  {value}" for name, value in rows)
    return text + "".join(
        f"\nBROKEN, seed {each.round.seed}: {what}" for each in broken for what in each.broken
    )


if __name__ == "__main__":
    sys.exit(main())
