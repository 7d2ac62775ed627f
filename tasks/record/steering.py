"""Writes what people ask of runs that are there: to end, to pause, to go on."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from config.targets import HostTarget
from tasks.outcomes import HostResult
from tasks.record import keys
from tasks.record.answers import Decision, NotSteered, Paused, Resolved
from tasks.record.scripts import Scripts
from tasks.record.store import result_json

if TYPE_CHECKING:
    from redis import Redis


class Steering:
    """Each wish is one script."""

    def __init__(self, redis: "Redis", *, release_ttl_seconds: int) -> None:
        self._scripts = Scripts(redis)
        self._release_ttl_seconds = release_ttl_seconds

    def cancel(self, run_id: str, *, operator: str, now: bool = False) -> tuple[str, str]:
        """Ask for the run's end; ``now`` grants no time to what runs.

        Returns:
            ``("asked", hosts under way)``, ``("ended", state)`` or ``("unknown", "")``.
        """
        answer = self._scripts.call("cancel", [keys.run(run_id)], [operator, int(now)])
        return answer[0].decode(), answer[1].decode()

    def pause(self, run_id: str, *, operator: str) -> Paused | NotSteered:
        """Let hosts under way finish, and begin no further one."""
        answer = self._scripts.call("pause", [keys.run(run_id), keys.events(run_id)], [operator])
        if answer[0] == b"paused":
            return Paused(under_way=int(answer[1]))
        return NotSteered(state=answer[1].decode(), cancelled_by=answer[2].decode())

    def resume(self, run_id: str, *, operator: str) -> NotSteered | None:
        """Let a paused run go on; None when it does."""
        answer = self._scripts.call("resume", [keys.run(run_id), keys.events(run_id)], [operator])
        return None if answer[0] == b"resumed" else NotSteered(state=answer[1].decode())

    def resolve(
        self,
        run_id: str,
        target: HostTarget,
        *,
        kind: str,
        decision: Decision,
        operator: str,
        result: HostResult,
        not_begun: Iterable[HostTarget] = (),
    ) -> Resolved | NotSteered:
        """Write what a person decided about a host whose end was not known.

        Args:
            run_id: the run.
            target: the host.
            kind: of the run.
            decision: how it ended, or that it is tried again.
            operator: who decided.
            result: how it ended then; not looked at for ``rerun``.
            not_begun: the run's hosts that it begins once it goes on.
        """
        names = [keys.run(run_id), keys.hosts(run_id), keys.status(run_id), keys.results(run_id)]
        names += [keys.events(run_id), keys.ACTIVE, keys.log(run_id, ""), keys.deferred(run_id)]
        arguments = [run_id, target.name, decision, operator, result_json(result), keys.identity(target)]
        queues = [text for each in (target, *not_begun) for text in (each.name, keys.queue(kind, each))]
        answer = self._scripts.call("resolve", names, [*arguments, self._release_ttl_seconds, *queues])
        if answer[0] == b"refused":
            return NotSteered(state=answer[1].decode())
        return Resolved(unknown=int(answer[1]), goes_on=bool(answer[2]))
