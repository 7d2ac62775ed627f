"""Makes text that came from hosts harmless on a terminal. Pure."""

import re
import unicodedata

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|\x1b[\]PX^_][^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, device control
    r"|\x1b[ -/]*[0-~]"
)
_ESCAPED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTION_CHANGES = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def harmless(text: str) -> str:
    """Text without terminal sequences; other control characters become visible escapes.

    Lines and tabs stay; a carriage return, which would overwrite the line, begins a new one.
    """
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def harmless_line(text: str) -> str:
    """The same in one line."""
    return " ".join(harmless(text).replace("\t", " ").split("\n")).strip()


def decoded(data: bytes) -> str:
    """Bytes that a host printed, as text; what is no UTF-8 becomes visible escapes."""
    return data.decode("utf-8", errors="backslashreplace")


def _visible(character: str) -> str:
    if character in "\n\t":
        return character
    if unicodedata.category(character) in _ESCAPED_CATEGORIES or character in _DIRECTION_CHANGES:
        return character.encode("unicode_escape").decode("ascii")
    return character
