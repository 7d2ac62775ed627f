"""Sizes of batches and of the failures that a run may have, by Ansible's rules."""

from collections.abc import Sequence

from config.errors import BadInputError
from config.values import percent_of


def split_batches(hosts: Sequence[str], sizes: Sequence[int | str]) -> tuple[tuple[str, ...], ...]:
    """Put every host into exactly one batch, in order, as Ansible's ``serial`` does.

    A percent is of all hosts, truncated, and at least one host. The last size repeats; the last batch
    takes what is left. Percents are computed exactly: Ansible's own floating point makes 28 of "29%"
    of 100.

    Args:
        hosts: names, in the order in which they are deployed.
        sizes: counts such as 5 and percents such as ``"25%"``, each above zero.

    Returns:
        The batches; none is empty, and there are none without hosts.

    Raises:
        BadInputError: there is no size, or one that is zero.
    """
    batches: list[tuple[str, ...]] = []
    start = 0
    while start < len(hosts):
        if not sizes:
            raise BadInputError("The batches can't be made: there is no size. Give one, such as 1 or 25%.")
        size = batch_size(sizes[min(len(batches), len(sizes) - 1)], len(hosts))
        batches.append(tuple(hosts[start : start + size]))
        start += size
    return tuple(batches)


def batch_size(size: int | str, total: int) -> int:
    """How many of ``total`` hosts a count or percent is: truncated, and at least one.

    Raises:
        BadInputError: the count or percent is zero or less.
    """
    count = percent_of(size) if isinstance(size, str) else size
    if count <= 0:
        raise BadInputError(f"The batches can't be made: a batch of {size} has no hosts. Give 1 or more.")
    return max(1, count * total // 100) if isinstance(size, str) else count


def failure_limit(max_failed: int | str, total: int) -> int:
    """How many of ``total`` hosts may fail before a run stops; a percent is truncated."""
    return percent_of(max_failed) * total // 100 if isinstance(max_failed, str) else max_failed
