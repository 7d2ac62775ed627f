"""CLIXML, as PowerShell writes its errors to a standard error that is no console."""

import html
import re

_HEAD = b"#< CLIXML"
_ERROR = re.compile(rb'<S S="Error">(.*?)(?:</S>|$)', re.DOTALL)
_OBJECTS = re.compile(rb"\s*<Objs\b.*?(?:</Objs>\s*|$)", re.DOTALL)
_ESCAPE = re.compile(r"(?:_x[0-9A-Fa-f]{4}_)+")


def as_text(errors: bytes) -> bytes:
    """Standard error as people read it: errors out of CLIXML, whatever else as it is.

    Args:
        errors: bytes of a standard error, or the head of them.
    """
    before, head, rest = errors.partition(_HEAD)
    if not head:
        return errors
    texts = [before]
    while head:
        objects = _OBJECTS.match(rest)
        end = objects.end() if objects else 0
        texts += [_unescaped(match) for match in _ERROR.findall(rest[:end])]
        between, head, rest = rest[end:].partition(_HEAD)
        texts.append(between)
    return b"".join(texts)


def _unescaped(text: bytes) -> bytes:
    plain = html.unescape(text.decode("utf-8", errors="replace"))
    return _ESCAPE.sub(_characters, plain).encode("utf-8", errors="replace")


def _characters(escapes: re.Match[str]) -> str:
    # Neighbours are read together: two of them may be the halves of one character.
    units = re.findall(r"[0-9A-Fa-f]{4}", escapes[0])
    return bytes.fromhex("".join(units)).decode("utf-16-be", errors="replace")
