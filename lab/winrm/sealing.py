"""SOAP messages sealed by SPNEGO: multipart/encrypted, as [MS-WSMV] 2.2.9.1 has it."""

import struct
from typing import Final

from spnego import ContextProxy

_PROTOCOL: Final = "application/HTTP-SPNEGO-session-encrypted"
_BOUNDARY: Final = b"--Encrypted Boundary"
_PAYLOAD_TYPE: Final = b"\tContent-Type: application/octet-stream\r\n"
_HEAD: Final = b"\r\n".join(
    (
        _BOUNDARY,
        b"\tContent-Type: " + _PROTOCOL.encode(),
        b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d",
        _BOUNDARY,
        _PAYLOAD_TYPE,
    )
)
_TAIL: Final = _BOUNDARY + b"--\r\n"
CONTENT_TYPE: Final = f'multipart/encrypted;protocol="{_PROTOCOL}";boundary="Encrypted Boundary"'


class UnsealableError(Exception):
    """A message that can't be opened: another key, or no multipart message at all."""


def is_sealed(content_type: str) -> bool:
    """Whether a message of this content type is a sealed one."""
    return content_type.startswith("multipart/encrypted")


def seal(context: ContextProxy, message: bytes) -> bytes:
    """The sealed form of ``message``."""
    header, data, _ = context.wrap_winrm(message)
    return b"".join((_HEAD % len(message), struct.pack("<i", len(header)), header, data, _TAIL))


def unseal(context: ContextProxy, body: bytes) -> bytes:
    """The message in a sealed body.

    Raises:
        UnsealableError: it was sealed with another key, or is no sealed message.
    """
    begin = body.find(_PAYLOAD_TYPE) + len(_PAYLOAD_TYPE)
    if begin < len(_PAYLOAD_TYPE) or not body.endswith(_TAIL):
        raise UnsealableError
    view = memoryview(body)[begin : len(body) - len(_TAIL)]
    size = struct.unpack_from("<i", view)[0]
    try:
        return context.unwrap_winrm(bytes(view[4 : 4 + size]), bytes(view[4 + size :]))
    except Exception as error:  # whatever pyspnego makes of bytes that no key of ours has sealed
        raise UnsealableError from error
