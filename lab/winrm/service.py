"""What the service does for a user who has logged in."""

import base64
import binascii
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from lab.winrm import faults, soap
from lab.winrm.host import WinrmHost
from lab.winrm.shells import Received, Shell

_IDLE_SECONDS: Final = 7200.0
_FOREVER: Final = 86_400.0 * 365
_ROOM_FOR_ENVELOPE: Final = 4096
_TERMINATE: Final = frozenset({"terminate", "ctrl_break"})


def carry_out(host: WinrmHost, user: str, request: soap.Request) -> bytes:
    """Do what is asked for; gives the answer's envelope.

    Args:
        host: asked.
        user: who asks; without a name it is nobody.
        request: what for.

    Raises:
        faults.Fault: it isn't done.
    """
    if request.verb == "Identify":
        return identity(request, known=bool(user))
    if request.verb == "Create":
        return _create(host, user, request)
    deed = _DEEDS.get(request.verb)
    if deed is None:
        raise faults.unsupported(request.action)
    shell = host.shells.find(request.shell_id, user)
    with shell.in_use():
        return soap.answer(request, deed(host, shell, request), action=_ANSWERS.get(request.verb, ""))


def identity(request: soap.Request, *, known: bool) -> bytes:
    """The answer to Identify; versions are for those who have logged in."""
    version = "OS: 10.0.20348 SP: 0.0 Stack: 3.0" if known else "OS: 0.0.0 SP: 0.0 Stack: 3.0"
    body = (
        f'<wsmid:IdentifyResponse xmlns:wsmid="{soap.IDENTITY}">'
        "<wsmid:ProtocolVersion>http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd</wsmid:ProtocolVersion>"
        "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        f"<wsmid:ProductVersion>{version}</wsmid:ProductVersion></wsmid:IdentifyResponse>"
    )
    return soap.answer(request, body)


def _create(host: WinrmHost, user: str, request: soap.Request) -> bytes:
    if request.resource != soap.CMD:
        raise faults.unsupported(request.resource)
    limit = host.configuration.most_shells
    if host.trouble.access_denied:
        raise faults.access_denied()
    if host.trouble.quota_full:
        raise faults.too_many_shells(limit)
    shell = Shell(
        host.machine,
        shell_id=_own_id(request) or str(uuid.uuid4()).upper(),
        user=user,
        environment=_variables(request.body),
        directory=request.text("WorkingDirectory"),
        idle_seconds=soap.seconds(request.text("IdleTimeOut"), _IDLE_SECONDS),
        lifetime=soap.seconds(request.text("Lifetime"), _FOREVER),
    )
    host.shells.open(shell, limit)
    body = _CREATED.format(
        uri=soap.CMD,
        id=shell.shell_id,
        owner=escape(f"{host.machine.name}\\{user}"),
        idle=shell.idle_seconds,
        inputs=escape(request.text("InputStreams") or "stdin"),
        outputs=escape(request.text("OutputStreams") or "stdout stderr"),
    )
    return soap.answer(request, body)


def _own_id(request: soap.Request) -> str:
    return "" if request.body is None else request.body.get("ShellId", "").upper()


def _variables(shell: ET.Element | None) -> Mapping[str, str]:
    found = () if shell is None else shell.iterfind(f"{soap.RSP}Environment/{soap.RSP}Variable")
    return {each.get("Name", ""): each.text or "" for each in found}


def _command(host: WinrmHost, shell: Shell, request: soap.Request) -> str:
    line, limit = request.body, host.configuration.most_operations
    if line is None or not request.text("Command"):
        raise faults.wrong_parameter()
    if host.shells.begun(shell.user) >= limit:
        raise faults.too_many_operations(limit)
    arguments = (each.text or "" for each in line.iterfind(f"{soap.RSP}Arguments"))
    text = " ".join(part for part in (request.text("Command"), *arguments) if part)
    skips = request.options.get("WINRS_SKIP_CMD_SHELL", "").upper() in {"TRUE", "1"}
    command_id = shell.run(text, line.get("CommandId", "").upper(), by_cmd=not skips)
    return f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"


def _send(_: WinrmHost, shell: Shell, request: soap.Request) -> str:
    streams = [] if request.body is None else request.body.findall(f"{soap.RSP}Stream")
    for stream in streams:
        command = shell.command(stream.get("CommandId", "").upper())
        try:
            data = binascii.a2b_base64(stream.text or "")
        except binascii.Error as error:
            raise faults.wrong_parameter() from error
        command.send(data, request.timeout, end=stream.get("End", "").lower() in {"true", "1"})
    return "<rsp:SendResponse/>"


def _receive(_: WinrmHost, shell: Shell, request: soap.Request) -> str:
    wanted = None if request.body is None else request.body.find(f"{soap.RSP}DesiredStream")
    command_id = "" if wanted is None else wanted.get("CommandId", "").upper()
    most = max(1024, (request.envelope_limit - _ROOM_FOR_ENVELOPE) // 4 * 3)
    return _told(command_id, shell.command(command_id).receive(most, request.timeout))


def _told(command_id: str, received: Received) -> str:
    parts = [
        f'<rsp:Stream Name="{stream}" CommandId="{command_id}">{base64.b64encode(data).decode()}</rsp:Stream>'
        for stream, data in _joined(received)
    ]
    code, state = received.exit_code, "Running"
    ends = ""
    if code is not None:
        parts += [
            f'<rsp:Stream Name="{name}" CommandId="{command_id}" End="true"></rsp:Stream>'
            for name in ("stdout", "stderr")
        ]
        state, ends = "Done", f"<rsp:ExitCode>{code}</rsp:ExitCode>"
    parts.append(
        f'<rsp:CommandState CommandId="{command_id}" State="{soap.SHELL}/CommandState/{state}">{ends}'
        "</rsp:CommandState>"
    )
    return f"<rsp:ReceiveResponse>{''.join(parts)}</rsp:ReceiveResponse>"


def _joined(received: Received) -> list[tuple[str, bytes]]:
    """The parts, with neighbours of one stream as one."""
    joined: deque[tuple[str, list[bytes]]] = deque()
    for stream, data in received.parts:
        if not joined or joined[-1][0] != stream:
            joined.append((stream, []))
        joined[-1][1].append(data)
    return [(stream, b"".join(datas)) for stream, datas in joined]


def _signal(_: WinrmHost, shell: Shell, request: soap.Request) -> str:
    command_id = "" if request.body is None else request.body.get("CommandId", "").upper()
    code = request.text("Code").rpartition("/")[2].lower()
    if code in _TERMINATE:
        shell.terminate(command_id)
    elif code == "ctrl_c":
        shell.command(command_id).interrupt()
    else:
        raise faults.wrong_parameter()
    return "<rsp:SignalResponse/>"


def _delete(host: WinrmHost, shell: Shell, _: soap.Request) -> str:
    host.shells.end(shell)
    return ""


_DEEDS: Final[Mapping[str, Callable[[WinrmHost, Shell, soap.Request], str]]] = {
    "Command": _command,
    "Send": _send,
    "Receive": _receive,
    "Signal": _signal,
    "Delete": _delete,
}
_ANSWERS: Final = {verb: f"{soap.SHELL}/{verb}Response" for verb in ("Command", "Send", "Receive", "Signal")}
_CREATED: Final = (
    "<x:ResourceCreated><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address>"
    "<a:ReferenceParameters><w:ResourceURI>{uri}</w:ResourceURI>"
    '<w:SelectorSet><w:Selector Name="ShellId">{id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
    "</x:ResourceCreated><rsp:Shell><rsp:ShellId>{id}</rsp:ShellId><rsp:ResourceUri>{uri}</rsp:ResourceUri>"
    "<rsp:Owner>{owner}</rsp:Owner><rsp:IdleTimeOut>PT{idle:.3f}S</rsp:IdleTimeOut>"
    "<rsp:InputStreams>{inputs}</rsp:InputStreams><rsp:OutputStreams>{outputs}</rsp:OutputStreams>"
    "<rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity>"
    "</rsp:Shell>"
)
