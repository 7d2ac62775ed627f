"""The parser of control lines: any bytes, however they are cut up."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from config.causes import Cause
from tasks.hostscript.control import (
    ControlParser,
    Event,
    Finished,
    Output,
    Status,
    StepCause,
    StepEnded,
    StepStarted,
)

MARKER = "ls-0011223344556677"
M = MARKER.encode()
STATUS = b"\n%s status running 12\n" % M
LINES = st.sampled_from(
    [
        b"\n%s start 1 10.50\n" % M,
        b"\n%s end 1 11.25 0\n" % M,
        b"\n%s end 2 11.25 124 timeout\n" % M,
        b"\n%s cause 2 pull_http HTTP 404: \xff\n" % M,
        b"\n%s nonsense\n" % M,
        b"\n%s finish 12.00 1\n" % M,
    ]
)
PIECES = st.sampled_from(
    [b"\n", b"\n\n", M, b"\n" + M, b"\n" + M[:7], b" ", b"x", b"\r\n", b"\x00\xff"]
) | st.binary(max_size=12)


def joined(events: list[Event]) -> list[Event]:
    """Events with neighbouring output put together."""
    result: list[Event] = []
    for event in events:
        if isinstance(event, Output) and result and isinstance(result[-1], Output):
            result[-1] = Output(data=result[-1].data + event.data)
        else:
            result.append(event)
    return result


@given(
    st.lists(LINES | PIECES, max_size=25).map(b"".join), st.lists(st.integers(1, 30), min_size=1, max_size=40)
)
def test_any_split_gives_the_same_events(log: bytes, sizes: list[int]) -> None:
    stream = STATUS + log
    whole = ControlParser(MARKER)
    expected = joined(whole.feed(stream))
    parts = ControlParser(MARKER)
    events: list[Event] = []
    position, turn = 0, 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        events += parts.feed(stream[position : position + size])
        position, turn = position + size, turn + 1
    assert joined(events) == expected
    assert parts.offset == whole.offset <= len(log)


@given(st.lists(LINES | PIECES, max_size=25).map(b"".join), st.integers(0, 300))
def test_a_new_parser_goes_on_where_the_first_had_consumed(log: bytes, cut: int) -> None:
    first = ControlParser(MARKER)
    events = first.feed(STATUS + log[:cut])
    second = ControlParser(MARKER, offset=first.offset)
    events += second.feed(STATUS + log[first.offset :])[1:]
    whole = ControlParser(MARKER)
    assert joined(events) == joined(whole.feed(STATUS + log))
    assert second.offset == whole.offset


@given(st.lists(st.binary(max_size=20), max_size=8))
def test_output_between_control_lines_is_exact(outputs: list[bytes]) -> None:
    log = b"".join(
        b"\n%s start %d 1.00\n%s\n%s end %d 2.00 0\n" % (M, i, data, M, i) for i, data in enumerate(outputs)
    )
    events = joined(ControlParser(MARKER).feed(STATUS + log + b"\n%s finish 3.00 0\n" % M))
    found: dict[int, bytes] = dict.fromkeys(range(len(outputs)), b"")
    current = -1
    for event in events:
        if isinstance(event, StepStarted):
            current = event.index
        elif isinstance(event, Output):
            found[current] = event.data
    assert list(found.values()) == outputs


def test_each_kind_of_line_is_read() -> None:
    events = ControlParser(MARKER).feed(
        b"motd\n" + STATUS + b"\n%s start 3 7.00\nx\n%s cause 3 pull_dns no such host\n\n%s end 3 8.50 6\n"
        b"\n%s finish 9.00 130 cancelled\n" % (M, M, M, M)
    )
    assert events == [
        Status(state="running", size=12),
        StepStarted(index=3, uptime=7.0),
        Output(data=b"x"),
        StepCause(index=3, cause=Cause.PULL_DNS, detail="no such host"),
        StepEnded(index=3, uptime=8.5, exit_code=6),
        Finished(uptime=9.0, exit_code=130, cancelled=True),
    ]


def test_a_line_that_a_full_disk_cut_short_does_not_hide_the_next() -> None:
    events = ControlParser(MARKER).feed(
        STATUS + b"\n%s en\n%s end 1 5.00 1\n\n%s finish 6.00 1\n" % (M, M, M)
    )
    assert events[1:] == [StepEnded(index=1, uptime=5.0, exit_code=1), Finished(uptime=6.0, exit_code=1)]


def test_a_line_without_end_is_output_in_bounded_memory() -> None:
    parser = ControlParser(MARKER)
    parser.feed(STATUS + b"\n%s " % M)
    chunk = b"x" * 65536
    tracemalloc.start()
    total = sum(
        len(event.data) for _ in range(800) for event in parser.feed(chunk) if isinstance(event, Output)
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 800 * len(chunk) + 2 + len(M)
    assert peak < 2_000_000


def test_fifty_megabytes_pass_in_bounded_memory() -> None:
    parser = ControlParser(MARKER)
    parser.feed(STATUS)
    chunk = (b"line of output\n" * 5000)[:65536]
    tracemalloc.start()
    total = sum(
        len(event.data) for _ in range(800) for event in parser.feed(chunk) if isinstance(event, Output)
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total >= 800 * len(chunk) - len(M) - 2
    assert peak < 1_000_000
