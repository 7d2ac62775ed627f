"""What hosts print, made harmless for messages and terminals."""

import re
import unicodedata

# CSI, OSC and the like up to their ends, then any other escape with the character that it takes.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
_LONGEST_MESSAGE = 300


def clean_line(text: str | bytes, *, longest: int = _LONGEST_MESSAGE) -> str:
    """One line of text for people: no escape sequence, control or direction character; spaces joined.

    Args:
        text: anything; bytes are read as UTF-8.
        longest: characters to keep; what is cut ends with an ellipsis.
    """
    line = " ".join(_visible(_decoded(text), "").split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def clean_output(text: str | bytes) -> str:
    """Output for a terminal: as :func:`clean_line`, but lines, indentation and tabs stay."""
    return _visible(_decoded(text).replace("\r\n", "\n").replace("\r", "\n"), "\n\t")


def last_line(text: bytes) -> str:
    """The last line of ``text`` that has something to read, cleaned."""
    for line in reversed(_decoded(text).replace("\r", "\n").split("\n")):
        if cleaned := clean_line(line):
            return cleaned
    return ""


def _decoded(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8", "replace")


def _visible(text: str, kept: str) -> str:
    text = _ESCAPES.sub("", text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character in kept or unicodedata.category(character) not in _HIDDEN else " "
        for character in text
    )
