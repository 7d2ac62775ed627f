"""Batches by Ansible's rules, and how many failures a run may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import BadInputError
from tasks.batches import failure_limit, split_batches

SIZES = st.lists(
    st.one_of(st.integers(1, 50), st.integers(1, 100).map(lambda number: f"{number}%")),
    min_size=1,
    max_size=8,
)


def lengths(total: int, sizes: list[int | str]) -> list[int]:
    return [len(batch) for batch in split_batches([str(number) for number in range(total)], sizes)]


@pytest.mark.parametrize(
    ("total", "sizes", "expected"),
    [
        (40, [1, 5, "20%"], [1, 5, 8, 8, 8, 8, 2]),
        (40, [1, "25%", "100%"], [1, 10, 29]),
        (40, ["100%"], [40]),
        (10, [3], [3, 3, 3, 1]),
        (10, [100], [10]),
        (3, ["10%"], [1, 1, 1]),
        (10, ["33%"], [3, 3, 3, 1]),
        (100, ["29%"], [29, 29, 29, 13]),
        (5, [5, 1], [5]),
        (5, ["100%", 1], [5]),
        (1, [1, 5, "20%"], [1]),
        (0, [1], []),
    ],
)
def test_sizes_are_those_of_ansible(total: int, sizes: list[int | str], expected: list[int]) -> None:
    assert lengths(total, sizes) == expected


@given(st.lists(st.text(max_size=5), unique=True, max_size=120), SIZES)
def test_every_host_is_in_exactly_one_batch_in_order(hosts: list[str], sizes: list[int | str]) -> None:
    batches = split_batches(hosts, sizes)
    assert [host for batch in batches for host in batch] == hosts
    assert all(batches)


@given(st.integers(1, 300), SIZES)
def test_sizes_are_as_promised_and_the_last_repeats(total: int, sizes: list[int | str]) -> None:
    found = lengths(total, sizes)
    promised = [sizes[min(index, len(sizes) - 1)] for index in range(len(found))]
    wanted = [
        max(1, int(size.removesuffix("%")) * total // 100) if isinstance(size, str) else size
        for size in promised
    ]
    assert found[:-1] == wanted[:-1]
    assert 0 < found[-1] <= wanted[-1]


@pytest.mark.parametrize("sizes", [[], [0], ["0%"], [-1]])
def test_sizes_that_hold_no_host_are_refused(sizes: list[int | str]) -> None:
    with pytest.raises(BadInputError):
        split_batches(["a"], sizes)


@pytest.mark.parametrize(
    ("max_failed", "total", "expected"), [(0, 10, 0), (3, 2, 3), ("10%", 19, 1), ("0%", 9, 0), ("100%", 7, 7)]
)
def test_a_percent_of_failures_is_truncated(max_failed: int | str, total: int, expected: int) -> None:
    assert failure_limit(max_failed, total) == expected
