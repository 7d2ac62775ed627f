import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.logtext import LineFeed, log_bytes, log_text
from producer.terminal import decoded, harmless, harmless_line
from tasks.record.views import LogView

TROUBLE = st.lists(
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from(
            [b"\x1b[31m", b"\x1b]0;title\x07", b"\r\n", b"\r", b"\n", "é\u202e".encode(), b"\x9b1A"]
        ),
    ),
    max_size=20,
).map(b"".join)


@given(TROUBLE)
def test_nothing_that_a_terminal_obeys_is_left_of_any_bytes(data: bytes) -> None:
    for character in harmless(decoded(data)):
        assert character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10%\r20%\r\n", "10%\n20%\n"),
        ("bell\x07", "bell\\x07"),
        ("\x1b]0;no end\nnext line", "\nnext line"),
        ("a\tb ümläut 日本", "a\tb ümläut 日本"),
        ("admin\u202etxt.exe", "admin\\u202etxt.exe"),
    ],
)
def test_what_hosts_print_is_made_harmless(printed: str, shown: str) -> None:
    assert harmless(printed) == shown


def test_a_line_stays_a_line() -> None:
    assert harmless_line(" two\r\nlines\tand a tab ") == "two lines and a tab"


def test_bytes_that_are_no_text_are_visible() -> None:
    assert decoded(b"caf\xe9 \xff") == "caf\\xe9 \\xff"


@given(TROUBLE, st.lists(st.integers(0, 200), max_size=6))
def test_a_log_that_comes_in_pieces_reads_like_the_whole(data: bytes, cuts: list[int]) -> None:
    feed, places = LineFeed(), sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:end] for start, end in pairwise(places)]
    assert "".join(map(feed.take, pieces)) + feed.rest() == harmless(decoded(data))


def test_a_line_without_an_end_is_not_held_back_for_ever() -> None:
    feed = LineFeed()
    assert feed.take(b"x" * 10_000) == "x" * 10_000


def test_what_was_cut_is_said_where_it_is_missing() -> None:
    log = LogView(head=b"first\n", cut=1_048_576, tail=b"last\n")
    assert log_text(log) == "first\n\n... 1,048,576 bytes left out ...\nlast\n"
    assert log_bytes(log) == b"first\n\n... 1,048,576 bytes left out ...\nlast\n"


def test_raw_bytes_stay_as_they_are() -> None:
    assert log_bytes(LogView(head=b"\x1b[31m\xff")) == b"\x1b[31m\xff"
