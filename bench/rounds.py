"""Rounds: every row once in each, so that a machine that grows slower or faster does so for all alike."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from bench.measure import Failure, Sample


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Something that brings ten steps to hosts.

    Attributes:
        most: hosts at most; where it is fewer than asked for, the row says so.
        rounds: rounds at most.
        measure: runs it once over so many hosts.
    """

    name: str
    title: str
    most: int | None
    rounds: int
    measure: Callable[[int], Sample]


@dataclass(kw_only=True)
class Row:
    """What was seen of one contender at one size.

    Attributes:
        asked: the size of the round; the samples tell how many hosts were really used.
        failure: why it has no samples, or fewer than rounds.
    """

    name: str
    title: str
    asked: int
    samples: list[Sample] = field(default_factory=list)
    failure: str | None = None


def play(
    contenders: Sequence[Contender],
    sizes: Sequence[int],
    rounds: int,
    *,
    reference: str,
    say: Callable[[str], None],
) -> list[Row]:
    """Run every contender at every size, round by round.

    Args:
        contenders: who takes part; each round starts with another one.
        sizes: numbers of hosts.
        rounds: how often.
        reference: name of the contender that the others of the same round are compared with.
        say: told what goes on.
    """
    rows: list[Row] = []
    for size in sizes:
        at_size = {one.name: Row(name=one.name, title=one.title, asked=size) for one in contenders}
        for number in range(rounds):
            turn = number % len(contenders)
            taking_part = [*contenders[turn:], *contenders[:turn]]
            seen = _round([one for one in taking_part if number < one.rounds], size, at_size, say)
            standard = seen[reference].rate if reference in seen else None
            for name, sample in seen.items():
                at_size[name].samples.append(replace(sample, reference=standard))
        rows.extend(at_size.values())
    return rows


def _round(
    contenders: Sequence[Contender], size: int, rows: dict[str, Row], say: Callable[[str], None]
) -> dict[str, Sample]:
    seen: dict[str, Sample] = {}
    for one in contenders:
        if rows[one.name].failure is not None:
            continue
        count = min(size, one.most or size)
        began = time.monotonic()
        try:
            seen[one.name] = one.measure(count)
        except Failure as failure:
            rows[one.name].failure = str(failure)
            say(f"{one.title}, {count} hosts: {failure}")
        else:
            whole = time.monotonic() - began
            say(f"{one.title}, {count} hosts: {seen[one.name].rate:.1f} hosts/s ({whole:.0f} s in all)")
    return seen
