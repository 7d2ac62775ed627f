"""Output bounded, masked and cleaned."""

import re
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tasks.hostscript.bounded import BoundedLog
from tasks.hostscript.masking import Masker
from tasks.hostscript.text import clean_line, clean_output, last_line

CHUNKS = st.lists(st.binary(max_size=40), max_size=30)


@given(CHUNKS, st.integers(0, 60), st.integers(0, 60))
def test_head_and_tail_are_kept_and_the_cut_is_counted(chunks: list[bytes], head: int, tail: int) -> None:
    log = BoundedLog(head_bytes=head, tail_bytes=tail)
    taken = b""
    for chunk in chunks:
        log.append(chunk)
        taken += log.take_head()
    whole = b"".join(chunks)
    assert taken == whole[:head]
    assert len(taken) + log.cut + len(log.tail) == log.size == len(whole)
    assert whole.endswith(log.tail)
    assert log.cut == 0 or len(log.tail) == tail


def test_a_gigabyte_takes_no_more_memory_than_its_ends() -> None:
    log = BoundedLog(head_bytes=1000, tail_bytes=1000)
    chunk = b"x" * 900
    for _ in range(20_000):
        log.append(chunk)
    big = b"y" * 50_000_000
    for _ in range(20):
        log.append(big)
    assert log.size == 900 * 20_000 + 50_000_000 * 20
    assert len(log._tail) <= 2 * 1000  # noqa: SLF001 - the bound on memory is what is tested
    assert log.tail == b"y" * 1000


@given(
    st.lists(st.text(alphabet="abc", min_size=1, max_size=5), max_size=4),
    st.lists(st.text(alphabet="abcd", max_size=8).map(str.encode), max_size=20),
)
def test_secrets_are_masked_wherever_the_stream_is_cut(secrets: list[str], chunks: list[bytes]) -> None:
    masker = Masker(secrets)
    masked = b"".join(masker.feed(chunk) for chunk in chunks) + masker.end()
    longest_first = sorted({secret.encode() for secret in secrets}, key=len, reverse=True)
    whole = b"".join(chunks)
    expected = re.sub(b"|".join(longest_first), b"***", whole) if longest_first else whole
    assert masked == expected


def test_lines_of_a_long_secret_are_masked_too() -> None:
    masker = Masker(["-----BEGIN KEY-----\nMIIBVgIBADAN\n-----END KEY-----\n"])
    assert masker.feed(b"key is MIIBVgIBADAN.\n") + masker.end() == b"key is ***.\n"
    assert "MII" not in repr(masker)


def test_output_without_a_beginning_of_a_secret_is_not_held_back() -> None:
    masker = Masker(["password"])
    assert masker.feed(b"progress 10%") == b"progress 10%"
    assert masker.feed(b" pass") == b" "
    assert masker.feed(b"ing") == b"passing"


@given(st.text() | st.binary())
def test_a_clean_line_has_no_control_character(text: str | bytes) -> None:
    line = clean_line(text)
    assert all(unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in line)
    assert len(line) <= 300


@given(st.binary())
def test_clean_output_has_no_control_character_but_newline_and_tab(data: bytes) -> None:
    assert all(c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf"} for c in clean_output(data))


def test_escape_sequences_go_whole() -> None:
    assert clean_line("\x1b[1;31mred\x1b[0m \x1b]0;title\x07text\x1b(B\x1b[2J") == "red text"
    assert clean_line("evil\u202etxt.exe") == "evil txt.exe"
    assert (
        clean_line(b"\x9b31mcaf\xc3\xa9\xff") == "\N{REPLACEMENT CHARACTER}31mcafé\N{REPLACEMENT CHARACTER}"
    )


def test_the_last_line_is_the_last_that_says_something() -> None:
    assert last_line(b"first\n10%\r90%\rfailed: disk\n\n \x1b[0m\n") == "failed: disk"
    assert last_line(b"") == ""


def test_lines_and_indentation_stay_in_output() -> None:
    assert clean_output(b"a\r\n\tb\rc\x07\n") == "a\n\tb\nc \n"
