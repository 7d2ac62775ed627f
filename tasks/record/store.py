"""Writes the record. Reading it for people is in ``reading``."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from config.targets import HostTarget
from tasks.outcomes import HostResult, Outcome, RunState
from tasks.plan import Plan
from tasks.record import keys
from tasks.record.answers import Busy, Freed, IfBusy, Links, LogPart, Made, Standing
from tasks.record.claims import Claim, NotClaimed, Token
from tasks.record.scripts import Scripts

if TYPE_CHECKING:
    from redis import Redis

_STANDING = ["title", "kind", "pools", "state", "batch", "left", "failed"]
_STANDING += ["cancelled_by", "verification", "waiting_run"]


class RecordWriter:
    """Every change of the record; each that touches several keys is one script."""

    def __init__(
        self, redis: "Redis", *, ttl_seconds: int = 92 * 86400, release_ttl_seconds: int = 365 * 86400
    ) -> None:
        self.redis = redis
        self._scripts = Scripts(redis)
        self._ttl_seconds = ttl_seconds
        self._release_ttl_seconds = release_ttl_seconds

    def create(
        self,
        run_id: str,
        plan: Plan,
        *,
        operator: str,
        marker: str,
        links: Links = Links(),  # noqa: B008 - it is frozen
        if_busy: IfBusy = "wait",
    ) -> Made | Busy:
        """Write a new run; again changes nothing.

        Args:
            run_id: chosen by the caller.
            plan: what was decided.
            operator: who asks.
            marker: random text that control lines carry in the host's output.
            links: the runs that it has to do with.
            if_busy: what becomes of it when another deployment wants one of its hosts.
        """
        fields = {
            "kind": plan.kind,
            "title": plan.title,
            "state": RunState.QUEUED.value,
            "operator": operator,
            "marker": marker,
            "plan": plan.model_dump_json(exclude={"hosts"}, exclude_defaults=True, by_alias=True),
            "hosts": str(len(plan.hosts)),
            "pools": ",".join(sorted({target.pool for target in plan.hosts.values()})),
        }
        if plan.application is not None:
            fields["application"] = plan.application.application
        arguments: list[str | int] = [run_id, json.dumps(fields | links.fields()), if_busy, self._ttl_seconds]
        for name, target in plan.hosts.items():
            arguments += [name, target.model_dump_json(exclude_defaults=True), keys.queue(plan.kind, target)]
        names = [keys.run(run_id), keys.hosts(run_id), keys.status(run_id), keys.events(run_id)]
        answer = self._scripts.call("create", [*names, keys.RUNS, keys.ACTIVE, keys.SERVER], arguments)
        outcome, *others = (each.decode() for each in answer)
        if outcome == "busy":
            return Busy(run_id=others[0], host=others[1])
        return Made(superseded=tuple(others))

    def depend(self, verification: str, deployment: str) -> None:
        """Note on a verification that a deployment waits for its end."""
        self.redis.hset(keys.run(verification), "waiting_run", deployment)

    def standing(self, run_id: str) -> Standing | None:
        """Where the run stands; None when there is no such run."""
        raw = self.redis.hmget(keys.run(run_id), _STANDING)
        fields = {name: text for name, value in zip(_STANDING, raw, strict=True) if (text := as_text(value))}
        if "state" not in fields:
            return None
        return Standing(
            title=fields["title"],
            kind=fields["kind"],
            pools=tuple(fields["pools"].split(",")),
            state=RunState(fields["state"]),
            batch=int(fields["batch"]),
            left=int(fields["left"]),
            failed=int(fields["failed"]),
            cancelled_by=fields.get("cancelled_by"),
            verification=fields.get("verification"),
            waiting_run=fields.get("waiting_run"),
        )

    def begin_batch(self, run_id: str, *, seen: int, batch: int, reason: str, hosts: Sequence[str]) -> bool:
        """Begin ``batch`` if the run still stands at ``seen``; True for the one caller that did."""
        names = [keys.run(run_id), keys.status(run_id), keys.events(run_id)]
        return bool(self._scripts.call("begin_batch", names, [seen, batch, reason, *hosts]))

    def refuse(self, run_id: str, results: Mapping[str, HostResult]) -> None:
        """Write outcomes of hosts that are never begun, since their verification failed."""
        arguments: list[str] = []
        for name, result in results.items():
            arguments += [name, result.outcome.value, result_json(result)]
        names = [keys.run(run_id), keys.status(run_id), keys.results(run_id), keys.events(run_id)]
        if arguments:
            self._scripts.call("refuse", names, arguments)

    def claim(
        self, run_id: str, kind: str, host: str, *, worker: str, lease_seconds: float
    ) -> Claim | NotClaimed:
        """Take a host, or learn why it can't be had."""
        raw = self.redis.hget(keys.hosts(run_id), host)
        if raw is None:
            return NotClaimed(reason="over", detail="unknown host or run")
        target = HostTarget.model_validate_json(raw)
        names = [keys.run(run_id), keys.status(run_id), keys.events(run_id)]
        names += [keys.lease(run_id, kind, target), keys.SERVER, keys.deferred(run_id)]
        names.append(keys.queue(kind, target))
        answer = self._scripts.call("claim", names, [run_id, host, worker, int(lease_seconds * 1000)])
        if answer[0] != b"claimed":
            return NotClaimed(reason=answer[0].decode(), detail=answer[1].decode())
        return Claim(
            run_id=run_id,
            kind=kind,
            host=host,
            target=target,
            token=Token.parse(answer[1].decode()),
            claims=int(answer[2]),
            cancelled_by=answer[3].decode(),
            cancel_now=bool(answer[4]),
            waited=None if int(answer[5]) < 0 else int(answer[5]) / 1000,
            rerun=bool(answer[6]),
            waits_for=answer[7].decode(errors="replace"),
        )

    def defer(self, claim: Claim, *, begun: bool, seconds: float, proxy: str, cause: str) -> bool:
        """Give a host back that can't be reached now; False when the claim no longer holds.

        Args:
            claim: what the worker holds.
            begun: it may have begun on the host; then nobody else gets the machine meanwhile.
            seconds: until it is tried again.
            proxy: the proxy that is down, where one is; hosts behind it wait for one of them to get through.
            cause: the cause, and a line for people.
        """
        run_id = claim.run_id
        names = [
            keys.run(run_id),
            keys.status(run_id),
            keys.events(run_id),
            _lease(claim),
            keys.deferred(run_id),
        ]
        arguments = [claim.host, str(claim.token), int(begun), int(seconds * 1000), proxy, cause]
        return bool(self._scripts.call("defer", names, arguments))

    def arrived(self, claim: Claim) -> None:
        """Note that a host that was waited for is reached over its route."""
        names = [keys.run(claim.run_id), keys.events(claim.run_id), keys.deferred(claim.run_id)]
        names.append(keys.status(claim.run_id))
        proxies = [hop.name for hop in claim.target.hops]
        self._scripts.call("arrived", names, [claim.host, str(claim.token), *proxies])

    def hand_over(self, claim: Claim, *, worker: str) -> bool:
        """Give a host under way back, for another worker to go on with at once; False when it is not held."""
        names = [keys.status(claim.run_id), keys.events(claim.run_id), _lease(claim)]
        return bool(self._scripts.call("hand_over", names, [claim.host, str(claim.token), worker]))

    def renew(self, claims: Sequence[Claim], *, lease_seconds: float) -> list[str]:
        """Renew leases.

        Returns:
            For each claim ``held``, ``cancel`` (held, its run is being cancelled), ``cancel_now`` (and what
            runs gets no time) or ``lost``.
        """
        if not claims:
            return []
        names: list[str] = []
        for claim in claims:
            names += [_lease(claim), keys.run(claim.run_id)]
        arguments = [int(lease_seconds * 1000), *(str(claim.token) for claim in claims)]
        return [answer.decode() for answer in self._scripts.call("renew", names, arguments)]

    def report(self, claim: Claim, *, steps: str, log: LogPart) -> bool:
        """Write steps that moved (JSON) and what was printed; False when the claim no longer holds."""
        names = [keys.status(claim.run_id), keys.events(claim.run_id), keys.log(claim.run_id, claim.host)]
        arguments = [claim.host, str(claim.token), steps, log.head, log.tail, log.cut, int(log.anew)]
        return bool(self._scripts.call("report", names, arguments))

    def finish(
        self, claim: Claim, result: HostResult, *, log: LogPart, pins: Mapping[str, str]
    ) -> Freed | None:
        """Write a host's outcome and free its lease.

        Args:
            claim: what the worker holds.
            result: how the host ended.
            log: what was printed since the last report.
            pins: machine identity to host key, where none is pinned yet.

        Returns:
            What follows from it; None when the claim no longer holds, and nothing was written.
        """
        run_id = claim.run_id
        names = [keys.run(run_id), keys.status(run_id), keys.results(run_id), keys.events(run_id)]
        names += [_lease(claim), keys.log(run_id, claim.host), keys.VERIFIED, keys.PINS]
        names += [keys.queue(claim.kind, claim.target), keys.deferred(run_id)]
        arguments = [claim.host, str(claim.token), result.outcome.value, result_json(result)]
        arguments += [log.head, log.tail, log.cut, int(log.anew)]  # type: ignore[list-item] # bytes go as they are
        arguments.append(keys.identity(claim.target) if result.outcome is Outcome.OK else "")
        arguments += [run_id, self._release_ttl_seconds]  # type: ignore[list-item] # as above
        for identity, key in pins.items():
            arguments += [identity, key]
        left, *waiting = self._scripts.call("finish", names, arguments)
        if left < 0:
            return None
        run, _, host = waiting[0].decode().partition(" ")
        return Freed(left=left, waiting_run=run, waiting_host=host)

    def sent_again(self, run_id: str, hosts: Sequence[str]) -> None:
        """Note that the messages of these hosts go out once more."""
        self._scripts.call("sent_again", [keys.run(run_id), keys.events(run_id)], [" ".join(hosts)])

    def forget_expired(self) -> None:
        """Take runs out of the list of runs whose records have long expired."""
        seconds, _ = self.redis.time()
        self.redis.zremrangebyscore(keys.RUNS, 0, (seconds - 2 * self._ttl_seconds) * 1000)

    def end_run(self, run_id: str, *, seen: int, state: RunState, reason: str) -> bool:
        """End the run if it still stands at batch ``seen``; True for the one caller that did."""
        names = [keys.run(run_id), keys.events(run_id), keys.ACTIVE, keys.hosts(run_id)]
        names += [keys.status(run_id), keys.results(run_id), keys.log(run_id, ""), keys.deferred(run_id)]
        arguments = [run_id, seen, state.value, reason, self._ttl_seconds]
        return bool(self._scripts.call("end_run", names, arguments))

    def pins(self, identities: Iterable[str]) -> dict[str, str]:
        """Host keys pinned by earlier verifications, by machine identity."""
        wanted = list(identities)
        values = self.redis.hmget(keys.PINS, wanted) if wanted else []
        return {
            name: text
            for name, value in zip(wanted, values, strict=True)
            if (text := as_text(value)) is not None
        }

    def unverified(self, targets: Mapping[str, HostTarget], *, within_seconds: float) -> list[str]:
        """Names of those targets that no verification found ok within the given time."""
        names = list(targets)
        if not names:
            return []
        stamps = self.redis.hmget(keys.VERIFIED, [keys.identity(targets[name]) for name in names])
        seconds, _ = self.redis.time()
        oldest = (seconds - within_seconds) * 1000
        return [
            name for name, stamp in zip(names, stamps, strict=True) if stamp is None or float(stamp) < oldest
        ]


def as_text(value: bytes | str | None) -> str | None:
    """What Redis answered, as text; None stays None."""
    return value.decode() if isinstance(value, bytes) else value


def _lease(claim: Claim) -> str:
    return keys.lease(claim.run_id, claim.kind, claim.target)


def result_json(result: HostResult) -> str:
    """A host's result as the record keeps it."""
    return result.model_dump_json(exclude={"observed_keys"}, exclude_defaults=True)
