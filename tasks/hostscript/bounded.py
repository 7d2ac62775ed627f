"""A host's log kept within bounds: its head, its tail, and how much was between them."""


class BoundedLog:
    """Keeps the first ``head_bytes`` and the last ``tail_bytes`` of what is appended.

    Memory stays within head and twice the tail, whatever is appended.

    Attributes:
        size: bytes appended so far.
    """

    def __init__(self, *, head_bytes: int, tail_bytes: int) -> None:
        self.size = 0
        self._head_room = head_bytes
        self._tail_bytes = tail_bytes
        self._new_head = bytearray()
        self._tail = bytearray()
        self._after_head = 0

    def append(self, data: bytes) -> None:
        """Add ``data`` to the end."""
        self.size += len(data)
        if self._head_room:
            self._new_head += data[: self._head_room]
            data, taken = data[self._head_room :], min(len(data), self._head_room)
            self._head_room -= taken
        if not data:
            return
        self._after_head += len(data)
        if len(data) >= self._tail_bytes:
            self._tail = bytearray(data[len(data) - self._tail_bytes :])
            return
        self._tail += data
        if len(self._tail) > 2 * self._tail_bytes:
            del self._tail[: len(self._tail) - self._tail_bytes]

    def take_head(self) -> bytes:
        """The bytes of the head that came since it was last taken."""
        taken = bytes(self._new_head)
        self._new_head.clear()
        return taken

    @property
    def tail(self) -> bytes:
        """The last bytes that aren't in the head."""
        return bytes(self._tail[max(0, len(self._tail) - self._tail_bytes) :])

    @property
    def cut(self) -> int:
        """Bytes between head and tail that are not kept."""
        return max(0, self._after_head - self._tail_bytes)
