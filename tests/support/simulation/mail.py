"""The message bus: a bag of hints, of which any may be lost, late or doubled."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from config.targets import HostTarget


@dataclass
class Message:
    """A hint.

    Attributes:
        kind: ``gate``, or the kind of the run whose host it is about.
        taken: a worker took it out of its queue, and hasn't come to it yet.
    """

    kind: str
    run_id: str
    host: str = ""
    taken: bool = False


@dataclass
class Mail:
    """Outbox and queues in one."""

    messages: list[Message] = field(default_factory=list)

    def hosts(self, run_id: str, kind: str, targets: Iterable[HostTarget], *, title: str, batch: str) -> None:
        """Send a message for each host."""
        del title, batch
        self.messages += [Message(kind, run_id, each.name) for each in targets]

    def gate(self, run_id: str, *, title: str, pools: Sequence[str], first: bool = False) -> None:
        """Send the gate's message."""
        del title, pools, first
        self.messages.append(Message("gate", run_id))

    def waiting(self, pool: str) -> int:
        """Messages that no worker has taken; there is one pool."""
        del pool
        return sum(not each.taken for each in self.messages)
