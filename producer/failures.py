"""Failed hosts, put together by what they failed of. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from config.causes import Cause, Explanation
from config.explanations import EXPLANATIONS
from config.values import Value
from tasks.outcomes import Outcome
from tasks.record.views import HostView, RunView

MESSAGES_SHOWN = 5


class FailureGroup(Value):
    """Hosts of one run that ended in the same way, of the same cause.

    Attributes:
        cause: None for hosts that were never begun.
        hosts: names, in the order of the run.
        messages: what happened in particular, and the hosts that it happened on.
    """

    outcome: Outcome
    cause: str | None
    hosts: tuple[str, ...]
    messages: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def explanation(self) -> Explanation | None:
        """The cause in words; None for one that this version doesn't know."""
        return EXPLANATIONS.get(Cause(self.cause)) if self.cause in set(Cause) else None


def failures(view: RunView) -> tuple[FailureGroup, ...]:
    """The hosts of a run that ended other than ok, the largest group first; those never begun come last."""
    groups: dict[tuple[Outcome, str | None], list[HostView]] = defaultdict(list)
    for host in hosts_of(view):
        if host.outcome is not None and host.outcome is not Outcome.OK:
            groups[(host.outcome, host.cause)].append(host)
    ordered = sorted(groups, key=lambda key: (key[0] is Outcome.NOT_STARTED, -len(groups[key])))
    return tuple(_group(outcome, cause, groups[(outcome, cause)]) for outcome, cause in ordered)


def hosts_of(view: RunView) -> Iterable[HostView]:
    """Every host of a run, batch by batch."""
    return (host for batch in view.batches for host in batch.hosts)


def _group(outcome: Outcome, cause: str | None, hosts: Sequence[HostView]) -> FailureGroup:
    by_message: dict[str, list[str]] = defaultdict(list)
    for host in hosts:
        if host.message:
            by_message[host.message].append(host.name)
    return FailureGroup(
        outcome=outcome,
        cause=cause,
        hosts=tuple(host.name for host in hosts),
        messages=tuple((message, tuple(names)) for message, names in by_message.items()),
    )
