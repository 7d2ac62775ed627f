"""NTLM as the scripted WinRM service takes it: by pyspnego's accepting side, with sealed messages."""

import base64
import struct

import spnego

_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
SEALED = f'multipart/encrypted;protocol="{_PROTOCOL}";boundary="Encrypted Boundary"'
_OCTETS = b"\tContent-Type: application/octet-stream\r\n"
_END = b"--Encrypted Boundary--\r\n"


class Login:
    """The login of one connection; users and passwords are in the file that NTLM_USER_FILE names."""

    def __init__(self) -> None:
        self._context = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        self.done = False

    def challenge(self, authorization: str) -> str | None:
        """What to answer a login with, in ``WWW-Authenticate``; None once it is done."""
        if self.done:
            return None
        scheme, _, token = authorization.partition(" ")
        try:
            answer = self._context.step(base64.b64decode(token)) if token else None
        except spnego.exceptions.SpnegoError:
            return "Negotiate"
        self.done = self._context.complete
        if self.done:
            return None
        return f"{scheme} {base64.b64encode(answer).decode()}" if answer else "Negotiate"

    def open(self, body: bytes) -> bytes:
        """The message in a sealed body."""
        sealed = body[body.index(_OCTETS) + len(_OCTETS) : -len(_END)]
        (size,) = struct.unpack_from("<i", sealed)
        return self._context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])

    def seal(self, message: bytes) -> bytes:
        """A message as a sealed body."""
        result = self._context.wrap_winrm(message)
        head = (
            f"--Encrypted Boundary\r\n\tContent-Type: {_PROTOCOL}\r\n\tOriginalContent: "
            f"type=application/soap+xml;charset=UTF-8;Length={len(message)}\r\n--Encrypted Boundary\r\n"
        )
        size = struct.pack("<i", len(result.header))
        return b"".join((head.encode(), _OCTETS, size, result.header, result.data, _END))
