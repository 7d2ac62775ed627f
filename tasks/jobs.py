"""A host's job, made from its claim: what to do, with what, over which connections."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from config.causes import Cause
from config.errors import BadInputError
from config.fleet import Become, OperatingSystem, WinRM
from config.settings import Settings
from config.targets import HostTarget
from config.templates import render
from tasks.actions.common import AnyStep
from tasks.actions.steps import Step, steps_for
from tasks.actions.windows import WindowsStep
from tasks.deploying import Delivery, Deployment
from tasks.holdings import Held
from tasks.hostscript import driver
from tasks.hostscript.bounded import BoundedLog
from tasks.hostscript.compile import compile_script
from tasks.hostscript.dialects import HostScript, PosixScript
from tasks.hostscript.masking import Masker
from tasks.hostscript.windows import WindowsScript
from tasks.outcomes import HandedOver, HostResult, Later, Outcome
from tasks.plan import Plan
from tasks.record import keys
from tasks.record.answers import LogPart
from tasks.record.claims import Claim
from tasks.record.reading import RecordReader
from tasks.record.store import RecordWriter
from tasks.reporting import Reporter
from tasks.verification import verify
from workers.connections import Connections, deadlines_of
from workers.credentials import resolve_reference
from workers.limits import connections_to_keep, raise_open_files
from workers.transports.base import TransportError

RUNS_COMPILED = 16


class HostJob(Protocol):
    """What is done on one host."""

    def carry_out(self) -> HostResult | Later | HandedOver:
        """Do it, to its end or as far as it can be done here."""

    def rest_of_log(self) -> LogPart:
        """What was printed and not yet written."""


class Jobs:
    """Makes jobs; holds the connections that they share."""

    def __init__(self, *, settings: Settings, reader: RecordReader, writer: RecordWriter) -> None:
        self._settings = settings
        self._reader = reader
        self._writer = writer
        self._connections = Connections(
            idle=settings.connection_idle,
            most=connections_to_keep(settings.connections_kept, raise_open_files()),
            deadlines=deadlines_of(settings),
        )
        self._compiled = lru_cache(maxsize=RUNS_COMPILED)(self._compile)

    def job(self, held: Held) -> HostJob:
        """The job of a claimed host."""
        claim = held.claim
        if (
            claim.waited is not None
            and not claim.may_have_begun
            and claim.waited >= self._settings.route_wait
        ):
            return Foregone(result=_waited_in_vain(claim))
        pins = self._pins(claim.target)
        if claim.kind == "verification":
            return Verification(
                claim=claim, pins=pins, connections=self._connections, timeout=self._settings.command_timeout
            )
        try:
            return self._deployment(held, pins)
        except TransportError as error:
            return Foregone(
                result=HostResult(outcome=Outcome.FAILED, cause=error.cause, message=error.detail)
            )

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()

    def _deployment(self, held: Held, pins: dict[str, str]) -> HostJob:
        claim, settings = held.claim, self._settings
        release = self._compiled(claim.run_id, claim.target.become, claim.target.winrm)
        secrets = {
            name: resolve_reference(reference, purpose=f"parameter {name}").reveal()
            for name, reference in release.plan.secrets.items()
        }
        application = release.plan.application
        _check_secrets(secrets, claim.target.os)
        environment = driver.environment_of(
            {**release.plan.parameters, **secrets},
            run_id=claim.run_id,
            application=application.application if application else "",
            host=claim.host,
            batch=release.batch_of[claim.host],
        )
        where = driver.HostRun(
            run_id=claim.run_id,
            marker=release.marker,
            token=driver.Token(epoch=claim.token.epoch, number=claim.token.number),
            work_directory=claim.target.work_directory,
        )
        log = BoundedLog(head_bytes=settings.log_head_bytes, tail_bytes=settings.log_tail_bytes)
        return Deployment(
            held=held,
            target=claim.target,
            pins=pins,
            delivery=Delivery(
                where=where,
                steps=release.steps,
                script=release.script,
                environment=environment,
                masker=Masker(secrets.values()),
            ),
            connections=self._connections,
            reporter=Reporter(held, self._writer, log=log),
            settings=settings,
        )

    def _compile(self, run_id: str, become: Become | None, winrm: WinRM | None) -> "Release":
        plan = self._reader.plan(run_id, with_hosts=False)
        if plan is None or plan.application is None:
            raise TransportError(Cause.INTERNAL, f"the record of run {run_id} has no application")
        marker = self._reader.marker(run_id)
        steps = steps_for(
            "linux" if winrm is None else "windows",
            plan.application,
            plan.parameters,
            render=render,
            secrets=tuple(plan.secrets),
            become=become,
        )
        return Release(
            plan=plan,
            marker=marker,
            steps=steps,
            script=_script(steps, plan, winrm),
            batch_of={name: index + 1 for index, names in enumerate(plan.batches) for name in names},
        )

    def _pins(self, target: HostTarget) -> dict[str, str]:
        """Keys pinned earlier, for those places on the way that have none in the fleet."""
        wanted = {hop.name: keys.proxy_identity(target, hop) for hop in target.hops if not hop.host_key} | (
            {} if target.host_key else {target.name: keys.identity(target)}
        )
        pinned = self._writer.pins(wanted.values())
        return {name: pinned[identity] for name, identity in wanted.items() if identity in pinned}


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a run brings, compiled once for all of its hosts.

    Attributes:
        batch_of: the number of each host's batch, from 1.
    """

    plan: Plan
    marker: str
    steps: tuple[AnyStep, ...]
    script: HostScript
    batch_of: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """One host's verification."""

    claim: Claim
    pins: dict[str, str]
    connections: Connections
    timeout: float

    def carry_out(self) -> HostResult:
        """Look at every stage of the way, and at what the host needs to have."""
        return verify(
            self.claim.target,
            self.pins,
            connect=self.connections.session,
            clock=time.monotonic,
            timeout=self.timeout,
        )

    def rest_of_log(self) -> LogPart:
        """A verification prints nothing."""
        return LogPart()


@dataclass(frozen=True, kw_only=True)
class Foregone:
    """A job that can't even be begun."""

    result: HostResult

    def carry_out(self) -> HostResult:
        """Say why."""
        return self.result

    def rest_of_log(self) -> LogPart:
        """Nothing was printed."""
        return LogPart()


def _waited_in_vain(claim: Claim) -> HostResult:
    """The end of a host that never began: meanwhile others tried its proxy, so it needs no try of its own."""
    cause, _, message = claim.waits_for.partition(" ")
    return HostResult(
        outcome=Outcome.UNREACHABLE,
        cause=Cause(cause),
        message=f"{message} (it waited {claim.waited or 0:.0f} s for that to end)",
    )


def _script(steps: tuple[AnyStep, ...], plan: Plan, winrm: WinRM | None) -> HostScript:
    if winrm is not None:
        windows = [step for step in steps if isinstance(step, WindowsStep)]
        return WindowsScript(windows, detached=winrm.detached)
    linux = [step for step in steps if isinstance(step, Step)]
    return PosixScript(compile_script(linux, parameters=(*plan.parameters, *plan.secrets)))


def _check_secrets(secrets: Mapping[str, str], os: OperatingSystem) -> None:
    try:
        driver.check_environment(secrets, os=os)
    except BadInputError as error:
        raise TransportError(Cause.CREDENTIAL, str(error)) from None


def pins_of(claim: Claim, result: HostResult) -> dict[str, str]:
    """The host keys that a job saw, by machine identity."""
    target = claim.target
    identities = {hop.name: keys.proxy_identity(target, hop) for hop in target.hops}
    identities[target.name] = keys.identity(target)
    return {identities[name]: key for name, key in result.observed_keys.items()}
