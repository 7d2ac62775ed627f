"""What hosts printed, made readable: whole characters, whole lines, nothing that a terminal obeys."""

import codecs

from producer.terminal import decoded, harmless
from tasks.record.views import LogView

LONGEST_HELD_BACK = 4096


def log_text(log: LogView) -> str:
    """A whole log for people; what was left out is said where it is missing."""
    head = harmless(decoded(log.head))
    return head + cut_notice(log.cut) + harmless(decoded(log.tail)) if log.cut else head


def log_bytes(log: LogView) -> bytes:
    """A whole log as it was printed, with the same notice where something is missing."""
    return log.head + cut_notice(log.cut).encode() + log.tail if log.cut else log.head


def cut_notice(cut: int) -> str:
    """The line that stands for bytes that were not kept."""
    return f"\n... {cut:,} bytes left out ...\n"


class LineFeed:
    """Turns bytes that come in pieces into harmless text: a sequence that is cut in two stays one."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="backslashreplace").decode
        self._held = ""

    def take(self, data: bytes) -> str:
        """Text that is complete: whole lines, or a line too long to be held back."""
        self._held += self._decode(data)
        lines, newline, rest = self._held.rpartition("\n")
        if not newline and len(rest) < LONGEST_HELD_BACK:
            return ""
        complete, self._held = (lines + newline, rest) if newline else (rest, "")
        return harmless(complete)

    def rest(self) -> str:
        """What is left at the end."""
        rest, self._held = self._held + self._decode(b"", final=True), ""
        return harmless(rest)
