"""SOAP envelopes of WS-Management: requests as values, and the text of answers."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

SHELL: Final = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CMD: Final = f"{SHELL}/cmd"
TRANSFER: Final = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
IDENTITY: Final = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
RSP: Final = f"{{{SHELL}}}"

_SOAP: Final = "{http://www.w3.org/2003/05/soap-envelope}"
_ADDRESSING: Final = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}"
_WSMAN: Final = "{http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd}"
_DEFAULT_TIMEOUT: Final = 60.0
_DEFAULT_ENVELOPE: Final = 150 * 1024
_DURATION: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
_SECONDS: Final = (86_400, 3600, 60, 1)
_ENVELOPE: Final = (
    '<s:Envelope xml:lang="en-US" xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer"'
    ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"'
    f' xmlns:rsp="{SHELL}"'
    ' xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd">'
    "<s:Header><a:Action>%s</a:Action><a:MessageID>uuid:%s</a:MessageID>"
    "<a:To>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:To>"
    "<a:RelatesTo>%s</a:RelatesTo></s:Header><s:Body>%s</s:Body></s:Envelope>"
)


class MalformedError(Exception):
    """A body that is no SOAP envelope."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request, read.

    Attributes:
        action: the URI of what is asked for; empty for Identify, which has none.
        message_id: by which the answer names it.
        resource: the URI of what it is asked of.
        shell_id: the shell; empty when none is named.
        options: WINRS_... by name.
        timeout: how long an answer may take, in seconds.
        envelope_limit: how long an answer may be, in bytes.
        body: the body's first element; None when it is empty.
    """

    action: str
    message_id: str
    resource: str
    shell_id: str
    options: Mapping[str, str]
    timeout: float
    envelope_limit: int
    body: ET.Element | None

    @property
    def verb(self) -> str:
        """The last word of the action; ``Identify`` for that."""
        return self.action.rpartition("/")[2] or "Identify"

    def text(self, name: str) -> str:
        """The text of the body's child ``name`` of the shell's namespace; empty without one."""
        return (self.body.findtext(f"{RSP}{name}") or "") if self.body is not None else ""


def read(message: bytes) -> Request:
    """A request from its envelope.

    Raises:
        MalformedError: it is none.
    """
    try:
        envelope = ET.fromstring(message)  # noqa: S314 - from tests and demos, and expat stops the known bombs
    except ET.ParseError as error:
        raise MalformedError(str(error)) from error
    header, body = envelope.find(f"{_SOAP}Header"), envelope.find(f"{_SOAP}Body")
    if body is None:
        raise MalformedError("an envelope without a body")
    header = ET.Element("none") if header is None else header
    selectors = header.iterfind(f"{_WSMAN}SelectorSet/{_WSMAN}Selector")
    options = header.iterfind(f"{_WSMAN}OptionSet/{_WSMAN}Option")
    return Request(
        action=(header.findtext(f"{_ADDRESSING}Action") or "").strip(),
        message_id=(header.findtext(f"{_ADDRESSING}MessageID") or "").strip(),
        resource=(header.findtext(f"{_WSMAN}ResourceURI") or "").strip(),
        shell_id=next((each.text or "" for each in selectors if each.get("Name") == "ShellId"), "").upper(),
        options={each.get("Name", ""): each.text or "" for each in options},
        timeout=seconds(header.findtext(f"{_WSMAN}OperationTimeout") or "", _DEFAULT_TIMEOUT),
        envelope_limit=int(header.findtext(f"{_WSMAN}MaxEnvelopeSize") or _DEFAULT_ENVELOPE),
        body=next(iter(body), None),
    )


def seconds(duration: str, default: float) -> float:
    """An XML duration such as ``PT20S`` in seconds; ``default`` for an empty or strange one."""
    found = _DURATION.fullmatch(duration.strip())
    if found is None or not any(found.groups()):
        return default
    return sum(float(part or 0) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True))


def answer(request: Request, body: str, *, action: str = "") -> bytes:
    """The envelope that answers ``request`` with ``body``.

    Args:
        request: what is answered.
        body: XML text.
        action: the answer's action; the request's with ``Response`` behind it by default.
    """
    action = action or f"{request.action}Response"
    return (_ENVELOPE % (action, uuid.uuid4(), escape(request.message_id), body)).encode()
