"""SOAP messages sealed by SPNEGO or CredSSP: multipart/encrypted, as [MS-WSMV] 2.2.9.1 has it."""

import struct
from typing import Final

from spnego import ContextProxy

_PROTOCOLS: Final = {
    "negotiate": "application/HTTP-SPNEGO-session-encrypted",
    "kerberos": "application/HTTP-SPNEGO-session-encrypted",
    "credssp": "application/HTTP-CredSSP-session-encrypted",
}
_BOUNDARY: Final = b"--Encrypted Boundary"
_PAYLOAD_TYPE: Final = b"\tContent-Type: application/octet-stream\r\n"
_HEAD: Final = b"\r\n".join(
    (
        _BOUNDARY,
        b"\tContent-Type: %s",
        b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d",
        _BOUNDARY,
        _PAYLOAD_TYPE,
    )
)
_NEXT: Final = _BOUNDARY + b"\r\n\tContent-Type: application/HTTP-"
_TAIL: Final = _BOUNDARY + b"--\r\n"


class UnsealableError(Exception):
    """A message that can't be opened: another key, or no multipart message at all."""


def is_sealed(content_type: str) -> bool:
    """Whether a message of this content type is a sealed one."""
    return content_type.startswith(("multipart/encrypted", "multipart/x-multi-encrypted"))


def content_type(context: ContextProxy) -> str:
    """The content type of what ``seal`` makes."""
    return f'multipart/encrypted;protocol="{_PROTOCOLS[context.protocol]}";boundary="Encrypted Boundary"'


def seal(context: ContextProxy, message: bytes) -> bytes:
    """The sealed form of ``message``."""
    header, data, _ = context.wrap_winrm(message)
    head = _HEAD % (_PROTOCOLS[context.protocol].encode(), len(message))
    return b"".join((head, struct.pack("<i", len(header)), header, data, _TAIL))


def unseal(context: ContextProxy, body: bytes) -> bytes:
    """The message in a sealed body, which by CredSSP comes in pieces of 16 KiB.

    Raises:
        UnsealableError: it was sealed with another key, or is no sealed message.
    """
    if not body.endswith(_TAIL):
        raise UnsealableError
    pieces = body.removesuffix(_TAIL).split(_PAYLOAD_TYPE)[1:]
    if not pieces:
        raise UnsealableError
    try:
        return b"".join(_unsealed(context, piece.split(_NEXT, 1)[0]) for piece in pieces)
    except Exception as error:  # whatever pyspnego makes of bytes that no key of ours has sealed
        raise UnsealableError from error


def _unsealed(context: ContextProxy, piece: bytes) -> bytes:
    size = struct.unpack_from("<i", piece)[0]
    return context.unwrap_winrm(piece[4 : 4 + size], piece[4 + size :])
