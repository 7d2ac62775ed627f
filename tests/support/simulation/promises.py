"""What must hold after every event of a schedule, in the record and on the machines."""

from tests.support.simulation.server import Seen, SeenRun
from tests.support.simulation.world import IDENTITIES, World

_ENDED = {"succeeded", "failed", "cancelled", "needs_attention"}


def check(world: World, before: Seen, now: Seen) -> None:
    """Check every promise.

    Args:
        world: everything but the record.
        before: the record as it was seen last; ``now`` itself where no comparison makes sense.
        now: the record.
    """
    for run_id, run in now.runs.items():
        _check_counters(run_id, run)
        _check_state(run_id, run, now)
        if run.kind == "deployment":
            _check_batches(world, run_id, run)
            _check_truth(world, run_id, run)
        if run_id in before.runs:
            _check_cancelled(world, run_id, before.runs[run_id], run)
    _check_leases(now)
    _check_order(before, now)
    _check_ledgers(world)


def _check_counters(run_id: str, run: SeenRun) -> None:
    statuses = list(run.statuses.values())
    under_way = [each for each in statuses if each == "sent" or each.startswith("running")]
    failed = [each for each in statuses if each.startswith("done") and each != "done ok"]
    running = [each for each in statuses if each.startswith("running")]
    assert run.left == len(under_way), f"{run_id}: left counts the hosts under way"
    assert run.failed == len(failed), f"{run_id}: failed counts the hosts that ended other than ok"
    assert run.begun >= len(running), f"{run_id}: begun counts the hosts that a worker had"


def _check_state(run_id: str, run: SeenRun, now: Seen) -> None:
    ended = run.state in _ENDED
    unknown = "done indeterminate" in run.statuses.values()
    assert ended == (run_id not in now.active), f"{run_id}: active are the runs that haven't ended"
    assert (run.state == "paused") == (run.paused_by is not None), f"{run_id}: who paused it"
    if ended:
        assert run.left == 0, f"{run_id}: no host is under way in a run that is over"
        assert not run.deferred, f"{run_id}: no host waits in a run that is over"
        assert unknown == (run.state == "needs_attention"), f"{run_id}: an unknown end waits for a person"
    if run.state == "queued":
        assert run.batch == -1, f"{run_id}: queued before its first batch"


def _check_batches(world: World, run_id: str, run: SeenRun) -> None:
    for index, names in enumerate(world.plan(run_id).batches):
        phases = {name: run.statuses[name].partition(" ")[0] for name in names}
        if index < run.batch:
            assert set(phases.values()) == {"done"}, f"{run_id}: batch {index} was done before the next began"
        if index > run.batch:
            assert set(phases.values()) <= {"waiting", "done"}, f"{run_id}: batch {index} has not begun"


def _check_leases(now: Seen) -> None:
    holders = set()
    for key, lease in now.leases.items():
        run = now.runs.get(lease["run"])
        assert run is not None, f"{key}: held by a run that is there"
        assert run.state not in _ENDED, f"{key}: a run that is over holds no lease"
        assert run.statuses[lease["host"]] == f"running {lease['token']}", f"{key}: its holder is running"
        holders.add((lease["run"], lease["host"]))
    for run_id, run in now.runs.items():
        for host, status in run.statuses.items():
            assert not status.startswith("running") or (run_id, host) in holders, (
                f"{run_id} {host}: has its lease"
            )


def _check_order(before: Seen, now: Seen) -> None:
    for key, lease in now.leases.items():
        host, was = IDENTITIES.get(key.removeprefix("lease:")), before.leases.get(key, {})
        if host is None or lease["claims"] != "1" or was.get("token") == lease["token"]:
            continue
        for run_id, run in now.runs.items():
            wants = run.kind == "deployment" and run.state not in _ENDED and host in run.statuses
            if wants and not run.statuses[host].startswith("done"):
                first = run.order >= now.runs[lease["run"]].order
                assert first, f"{lease['run']} was given {host} before {run_id}, which was made earlier"


def _check_cancelled(world: World, run_id: str, before: SeenRun, now: SeenRun) -> None:
    if before.cancelled_by is None:
        return
    for host, status in now.statuses.items():
        was = before.statuses[host]
        begins = status.startswith("running") and was in {"waiting", "sent"}
        assert not begins or (run_id, host) in world.again, (
            f"{run_id} {host}: begins although it is cancelled"
        )


def _check_truth(world: World, run_id: str, run: SeenRun) -> None:
    """What the record says of a host's end is what happened there."""
    for host, status in run.statuses.items():
        if (run_id, host) in world.forgotten | world.decided:
            continue
        there = world.machines[host].runs.get(run_id)
        begun = there is not None and there.begun
        ends = there.end if there else None
        if status == "done ok":
            assert ends is not None, f"{run_id} {host}: ok without an end"
            assert ends.exit_code == 0, f"{run_id} {host}: ok with {ends}"
        elif status == "done cancelled":
            assert there is None or not there.runner, f"{run_id} {host}: cancelled, and its runner lives"
        elif status == "done unreachable" or (status == "waiting" and run.state in _ENDED):
            assert not begun, f"{run_id} {host}: {status}, and it began there"
        elif status == "done failed":
            assert not begun or (ends is not None and ends.exit_code == 1), (
                f"{run_id} {host}: failed with {ends}"
            )


def _check_ledgers(world: World) -> None:
    for machine in world.machines.values():
        under_way: tuple[str, int] | None = None
        begun: set[tuple[str, int]] = set()
        for run_id, step, what in machine.ledger:
            if what == "ended":
                assert under_way == (run_id, step), (
                    f"{machine.name}: {run_id} ends step {step} in {under_way}"
                )
                under_way = None
                continue
            # A step that was killed leaves no end in the ledger.
            under_way = (run_id, step)
            twice = (run_id, step) in begun and not world.may_repeat(run_id, machine.name)
            assert not twice, f"{machine.name}: {run_id} begins step {step} again"
            begun.add((run_id, step))


def check_end(world: World, now: Seen) -> None:
    """Check what must hold once faults are over and persons have decided: every run has come to its end."""
    assert not now.active, f"not over: {sorted(now.active)}"
    assert not now.leases, f"still held: {now.leases}"
    for run_id, run in now.runs.items():
        assert run.state in _ENDED - {"needs_attention"}, f"{run_id} is {run.state}"
        finished = [each for each in world.reader.events(run_id) if each.kind == "finished"]
        assert finished, f"{run_id} ended without an event"


def waiting_for_people(now: Seen) -> set[str]:
    """Runs that wait for a person: paused, or behind such a run wherever they want to go on."""
    waiting: set[str] = set()
    for run_id in sorted(now.active, key=lambda each: now.runs[each].order):
        run = now.runs[run_id]
        under_way = [host for host, status in run.statuses.items() if status.startswith(("sent", "running"))]
        first = [_first(now, host) for host in under_way] or ([run.verification] if run.batch < 0 else [])
        if run.state == "paused" or (first and waiting.issuperset(first)):
            waiting.add(run_id)
    return waiting


def _first(now: Seen, host: str) -> str | None:
    """The deployment that comes first for a machine."""
    wanting = [
        (run.order, run_id)
        for run_id, run in now.runs.items()
        if run.kind == "deployment" and run_id in now.active and host in run.statuses
        if not run.statuses[host].startswith("done")
    ]
    return min(wanting)[1] if wanting else None
