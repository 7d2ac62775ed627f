"""What a worker may hold: one host of one run, under a fencing token."""

from dataclasses import dataclass

from config.targets import HostTarget


@dataclass(frozen=True, kw_only=True)
class Token:
    """Who may drive a host: a larger token wins; a host refuses a smaller one (DESIGN §4, §6).

    Attributes:
        epoch: raised at every restart or failover of Redis.
        number: counts within the epoch.
    """

    epoch: int
    number: int

    @classmethod
    def parse(cls, text: str) -> "Token":
        """From the record's ``epoch.number``."""
        epoch, number = text.split(".")
        return cls(epoch=int(epoch), number=int(number))

    def __str__(self) -> str:
        return f"{self.epoch}.{self.number}"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A host that this worker has.

    Attributes:
        claims: how many workers had it before; above 0 it may be under way on the host.
        cancelled_by: who cancels the run; empty when nobody does.
        cancel_now: what runs on the host is granted no time then.
        waited: seconds since its route was found to be down, if it waits for that.
        waits_for: why it does: a cause, and a line for people.
        rerun: a person decided that the step whose end is not known is run again.
    """

    run_id: str
    kind: str
    host: str
    target: HostTarget
    token: Token
    claims: int
    cancelled_by: str
    cancel_now: bool = False
    waited: float | None = None
    waits_for: str = ""
    rerun: bool = False

    @property
    def may_have_begun(self) -> bool:
        """Whether something of the run may be on the host already."""
        return self.claims > 0 or self.rerun


@dataclass(frozen=True, kw_only=True)
class NotClaimed:
    """Why a host can't be had.

    Attributes:
        reason: ``over`` (it or its run is done, or paused), ``held`` (by a worker) or ``busy`` (another run).
        detail: the status, the worker, or the other run and its host.
    """

    reason: str
    detail: str
