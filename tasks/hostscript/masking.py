"""Secrets masked in a stream of bytes, before anything of it is kept."""

import re
from collections.abc import Iterable

MASK = b"***"
_SHORTEST_LINE = 6


class Masker:
    """Replaces secret values with ``***``, also where a value is cut across chunks.

    Each line of a value of several lines (a private key, say) is masked by itself too. What may be the
    beginning of a value is held back until more comes: at most the longest value's length.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        values = sorted(_forms(secrets), key=len, reverse=True)
        self._values = values
        self._pattern = re.compile(b"|".join(re.escape(value) for value in values)) if values else None
        self._longest = len(values[0]) if values else 0
        self._held = b""

    def __repr__(self) -> str:
        return f"Masker({len(self._values)} values)"

    def feed(self, data: bytes) -> bytes:
        """What of the stream, with ``data`` at its end, is certain by now."""
        if self._pattern is None:
            return data
        buffer = self._held + data
        parts: list[bytes] = []
        position, hold = 0, self._hold_from(buffer, 0)
        for match in self._pattern.finditer(buffer):
            if match.start() >= hold:
                break
            parts += (buffer[position : match.start()], MASK)
            position = match.end()
            if position > hold:
                hold = self._hold_from(buffer, position)
        parts.append(buffer[position:hold])
        self._held = buffer[hold:]
        return b"".join(parts)

    def end(self) -> bytes:
        """What was held back, now that nothing more comes."""
        held, self._held = self._held, b""
        return self._pattern.sub(MASK, held) if self._pattern is not None else held

    def text(self, text: str) -> str:
        """A text that stands by itself, masked."""
        if self._pattern is None:
            return text
        return self._pattern.sub(MASK, text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")

    def _hold_from(self, buffer: bytes, position: int) -> int:
        """Where the first value begins that the end of ``buffer`` cuts short."""
        first = len(buffer)
        for value in self._values:
            at = buffer.find(value[:1], max(position, len(buffer) - len(value) + 1), first)
            while at >= 0 and not value.startswith(buffer[at:]):
                at = buffer.find(value[:1], at + 1, first)
            if at >= 0:
                first = at
        return first


def _forms(secrets: Iterable[str]) -> set[bytes]:
    forms: set[bytes] = set()
    for secret in secrets:
        value = secret.strip("\r\n").encode("utf-8", "surrogateescape")
        forms.add(value)
        forms.update(line for line in value.splitlines() if len(line) >= _SHORTEST_LINE)
    forms.discard(b"")
    return forms
