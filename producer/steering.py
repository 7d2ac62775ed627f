"""What people ask of runs that are there: to end, to pause, to go on, to be tried again or taken back."""

from dataclasses import dataclass

from config.causes import Cause
from config.errors import BadInputError
from config.settings import Settings
from producer.run import Run, UnknownRunError
from producer.servers import Servers
from producer.submitting import Submitter
from tasks.outcomes import HostResult, Outcome, RunState
from tasks.plan import Plan
from tasks.record.answers import Decision, Links, NotSteered, Resolved
from tasks.record.reading import RecordReader
from tasks.record.steering import Steering as RecordSteering
from tasks.record.store import RecordWriter
from tasks.replanning import Release, Scope, plan_retry, plan_rollbacks


@dataclass(frozen=True, kw_only=True)
class Cancellation:
    """What came of asking for a run's end.

    Attributes:
        state: in which the run had already ended; None when its end is on the way.
        under_way: hosts that are still to be ended.
    """

    run_id: str
    state: str | None
    under_way: int = 0


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """What some hosts of a run go back to.

    Attributes:
        release: that.
        plan: brings it to them.
        before: host to the title of what it has now: the run's own, or that of a good one since.
    """

    release: Release
    plan: Plan
    before: dict[str, str]


class Steering:
    """Steers runs, as one person."""

    def __init__(self, servers: Servers, settings: Settings, submitter: Submitter, *, operator: str) -> None:
        self._servers = servers
        self._operator = operator
        self._submitter = submitter
        self._reader = RecordReader(servers.record)
        self._writer = RecordWriter(servers.record, ttl_seconds=int(settings.record_ttl))
        self._record = RecordSteering(servers.record, release_ttl_seconds=int(settings.release_ttl))

    def cancel(self, run_id: str, *, now: bool = False) -> Cancellation:
        """Ask for a run's end, and for that of the verification that it waits for.

        Args:
            run_id: the run.
            now: grant no time to what runs on hosts: KILL without TERM before it.

        Raises:
            UnknownRunError: there is no such run.
            RedisUnreachableError: the record can't be reached.
        """
        with self._servers.reading_record():
            answer, detail = self._record.cancel(run_id, operator=self._operator, now=now)
            if answer == "unknown":
                raise UnknownRunError(run_id)
            if answer == "ended":
                return Cancellation(run_id=run_id, state=detail)
            standing = self._writer.standing(run_id)
        if standing is not None and standing.verification and standing.batch < 0:
            self.cancel(standing.verification)
        self._tell_gate(run_id)
        return Cancellation(run_id=run_id, state=None, under_way=int(detail))

    def pause(self, run_id: str) -> int:
        """Let hosts under way finish and begin no further one; how many are under way.

        Raises:
            UnknownRunError: there is no such run.
            BadInputError: it has ended, is paused already, or is being cancelled.
            RedisUnreachableError: the record can't be reached.
        """
        with self._servers.reading_record():
            answer = self._record.pause(run_id, operator=self._operator)
        if isinstance(answer, NotSteered):
            raise _refusal(run_id, answer, "paused")
        return answer.under_way

    def resume(self, run_id: str) -> None:
        """Let a paused run go on.

        Raises:
            UnknownRunError: there is no such run.
            BadInputError: it is not paused.
            RedisUnreachableError: the record can't be reached.
        """
        with self._servers.reading_record():
            answer = self._record.resume(run_id, operator=self._operator)
        if isinstance(answer, NotSteered):
            raise _refusal(run_id, answer, "resumed")
        # Its gate, and its hosts: messages that came while it was paused were let go.
        self._tell_gate(run_id)

    def resolve(self, run_id: str, host: str, decision: Decision) -> Resolved:
        """Decide about a host whose end is not known, after having looked at it.

        Args:
            run_id: the run.
            host: the host.
            decision: how it ended; or ``rerun``: ask the host, and run the step again whose end is unknown.

        Raises:
            UnknownRunError: there is no such run.
            BadInputError: the run has no such host, or its end is known.
            RedisUnreachableError: the record can't be reached.
        """
        with self._servers.reading_record():
            standing = self._writer.standing(run_id)
            statuses = self._reader.statuses(run_id)
            waiting = [name for name, status in statuses.items() if status == "waiting"]
            targets = self._reader.targets(run_id, [host, *waiting])
            if standing is None:
                raise UnknownRunError(run_id)
            if host not in targets:
                raise BadInputError(
                    f'Run {run_id} has no host "{host}"; `longshore show {run_id}` lists its hosts.'
                )
            answer = self._record.resolve(
                run_id,
                targets[host],
                kind=standing.kind,
                decision=decision,
                operator=self._operator,
                result=_decided(decision, self._operator, self._reader.results(run_id).get(host)),
                not_begun=[targets[name] for name in waiting],
            )
        if isinstance(answer, NotSteered):
            status = answer.state.removeprefix("done ") or "not begun"
            raise BadInputError(
                f"{host} is {status} in run {run_id}: only a host whose end is not known is resolved."
            )
        if answer.goes_on:
            self._tell_gate(run_id)
        return answer

    def retry(self, run_id: str) -> Run:
        """Submit a run of the hosts that this one did not bring to a good end, all else as it was.

        Raises:
            UnknownRunError: there is no such run.
            BadInputError: it has not ended, or there is nothing to retry.
            RedisUnreachableError: nothing was sent.
        """
        plan, outcomes = self._ended(run_id, "retried")
        again = plan_retry(plan, outcomes)
        if again.kind == "verification":
            return self._submitter.verify(again, links=Links(retry_of=run_id))
        return self._submitter.deploy(again, links=Links(retry_of=run_id))

    def plan_rollback(self, run_id: str, *, scope: Scope = "touched") -> list[Rollback]:
        """What the hosts of a deployment would go back to; one for each release, nothing is sent.

        Raises:
            UnknownRunError: there is no such run.
            BadInputError: it has not ended, brought nothing, or a host has nothing to go back to.
            RedisUnreachableError: the record can't be reached.
        """
        plan, outcomes = self._ended(run_id, "rolled back")
        if plan.application is None:
            raise BadInputError(
                f"Run {run_id} is a verification, which changes nothing: there is nothing to take back."
            )
        with self._servers.reading_record():
            histories = self._reader.releases(plan.hosts, plan.application.application)
            created = self._reader.created(run_id)
        earlier = {
            name: next((each for each in history if each.run_id != run_id and each.created < created), None)
            for name, history in histories.items()
        }
        return [
            Rollback(
                release=release,
                plan=each,
                before={
                    name: next(
                        (later.title for later in histories[name] if later.created > created), plan.title
                    )
                    for name in each.hosts
                },
            )
            for release, each in plan_rollbacks(plan, outcomes, earlier, scope=scope)
        ]

    def roll_back(self, run_id: str, rollbacks: list[Rollback]) -> list[Run]:
        """Submit what ``plan_rollback`` gave: a run for each release; raises as ``Client.deploy``."""
        return [self._submitter.deploy(each.plan, links=Links(rollback_of=run_id)) for each in rollbacks]

    def explain(self, run_id: str) -> str:
        """How a run stands, and why it isn't moving when it isn't, in one sentence.

        Raises:
            UnknownRunError: there is no such run.
            RedisUnreachableError: the record can't be reached.
        """
        with self._servers.reading_record():
            said = self._reader.explanation(run_id)
        if said is None:
            raise UnknownRunError(run_id)
        return said

    def _ended(self, run_id: str, wish: str) -> tuple[Plan, dict[str, Outcome]]:
        """Plan and outcomes of a run that is over."""
        with self._servers.reading_record():
            view = self._reader.run(run_id)
            plan = self._reader.plan(run_id)
        if view is None or plan is None:
            raise UnknownRunError(run_id)
        if not view.state.ended:
            raise BadInputError(
                f"Run {run_id} is not over ({view.state}), and can only be {wish} then. Wait for its end "
                f"(`longshore watch {run_id}`), or end it (`longshore cancel {run_id}`)."
            )
        outcomes = {
            host.name: host.outcome
            for batch in view.batches
            for host in batch.hosts
            if host.outcome is not None
        }
        return plan, outcomes

    def _tell_gate(self, run_id: str) -> None:
        with self._servers.reading_record():
            standing = self._writer.standing(run_id)
        if standing is not None:
            self._servers.send_gate(run_id, title=standing.title, pools=standing.pools)


def _decided(decision: Decision, operator: str, before: HostResult | None) -> HostResult:
    """A host's end as a person decided it; what was done on it, as far as that is known, stays."""
    steps = before.steps if before else ()
    seconds = before.seconds if before else 0.0
    if decision == "ok":
        return HostResult(outcome=Outcome.OK, message=f"decided by {operator}", steps=steps, seconds=seconds)
    return HostResult(
        outcome=Outcome.FAILED,
        cause=before.cause if before and before.cause else Cause.INTERNAL,
        message=f"decided by {operator}; before: {before.message if before else ''}",
        steps=steps,
        seconds=seconds,
    )


def _refusal(run_id: str, answer: NotSteered, wish: str) -> BadInputError:
    if not answer.state:
        return UnknownRunError(run_id)
    state = RunState(answer.state)
    if answer.cancelled_by:
        return BadInputError(
            f"Run {run_id} is being cancelled by {answer.cancelled_by}, and can't be {wish}."
        )
    if state.ended:
        return BadInputError(f"Run {run_id} is over ({state}), and can't be {wish}.")
    if state is RunState.PAUSED:
        return BadInputError(f"Run {run_id} is paused already; `longshore resume {run_id}` lets it go on.")
    return BadInputError(f"Run {run_id} is {state}, not paused, and can't be {wish}.")
