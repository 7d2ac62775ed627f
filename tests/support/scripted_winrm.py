"""A WinRM service that answers what a test tells it to: for what no real one does on request."""

import base64
import contextlib
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from config.fleet import Credential, SecretReference, WinRM
from config.targets import HostTarget

NOTHING_YET = 2150858793
UNKNOWN = 2150858843
_SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
_ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    f' xmlns:rsp="{_SHELL}"><s:Header><a:RelatesTo>%s</a:RelatesTo></s:Header>'
    "<s:Body>%s</s:Body></s:Envelope>"
)
_FAULT = (
    "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>%s</s:Text></s:Reason>"
    '<s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="%d"/>'
    "</s:Detail></s:Fault>"
)
_BODIES = {
    "Create": '<w:Selector xmlns:w="w" Name="ShellId">SHELL-1</w:Selector>',
    "Command": "<rsp:CommandResponse><rsp:CommandId>COMMAND-1</rsp:CommandId></rsp:CommandResponse>",
}


@dataclass(frozen=True)
class Fault:
    """A fault with this code, and these words."""

    code: int
    words: str = "no"


@dataclass(frozen=True)
class Drop:
    """The connection is closed without an answer."""


@dataclass(frozen=True)
class Hang:
    """No answer, until the service stops."""


@dataclass(frozen=True)
class Output:
    """What a Receive brings; with an exit code it is the command's end."""

    stdout: bytes = b""
    stderr: bytes = b""
    exit_code: int | None = None

    def body(self) -> str:
        streams = "".join(
            f'<rsp:Stream Name="{name}" CommandId="COMMAND-1">{base64.b64encode(data).decode()}</rsp:Stream>'
            for name, data in (("stdout", self.stdout), ("stderr", self.stderr))
            if data
        )
        state = "Running" if self.exit_code is None else "Done"
        code = "" if self.exit_code is None else f"<rsp:ExitCode>{self.exit_code}</rsp:ExitCode>"
        end = f'<rsp:CommandState State="{_SHELL}/CommandState/{state}">{code}</rsp:CommandState>'
        return f"<rsp:ReceiveResponse>{streams}{end}</rsp:ReceiveResponse>"


Answer = Fault | Drop | Hang | Output


@dataclass
class Service:
    """Answers by its script; what the script doesn't say is answered well.

    Attributes:
        script: for each action the answers that come first, in order.
        asked: the actions so far; ``Send!`` for one that ends the input.
        input: what the command was sent.
        connections: how many were made.
        tls: what it secures its connections with, if it does.
    """

    script: dict[str, deque[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    input: bytearray = field(default_factory=bytearray)
    connections: int = 0
    tls: ssl.SSLContext | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def then(self, action: str, *answers: Answer) -> None:
        """The next answers to this action."""
        self.script.setdefault(action, deque()).extend(answers)

    def secure(self, certificate_file: Path, key_file: Path) -> None:
        """Speak TLS from the next connection on."""
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(certificate_file, key_file)

    def target(self, **settings: object) -> HostTarget:
        """The service as a host of a fleet, spoken with like this."""
        return HostTarget(
            name="win-1",
            cluster="win",
            os="windows",
            pool="office",
            address="127.0.0.1",
            port=self.port,
            credential=Credential(user="deploy", password=SecretReference(env="WINRM_PASSWORD")),
            route="direct",
            winrm=WinRM.model_validate(
                {
                    "scheme": "http" if self.tls is None else "https",
                    "transport": "basic",
                    "insecure": self.tls is None,
                    **settings,
                }
            ),
        )

    def stop(self) -> None:
        """End it, with all connections."""
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for link in self._open:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                self.connections += 1
                self._open.append(link)
                threading.Thread(target=self._speak, args=(link,), daemon=True).start()

    def _speak(self, link: socket.socket) -> None:
        if self.tls is not None:
            try:
                link = self.tls.wrap_socket(link, server_side=True)
            except OSError:
                link.close()
                return
        with link, contextlib.suppress(OSError), link.makefile("rb") as stream:
            while (request := _request(stream.readline)) is not None:
                answer = self._answer(stream.read(request))
                if answer is None:
                    return
                status, body = answer
                head = f"HTTP/1.1 {status}\r\nContent-Type: application/soap+xml\r\n"
                link.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def _answer(self, request: bytes) -> tuple[str, str] | None:
        action = _found(rb"<a:Action[^>]*>[^<]*/(\w+)</a:Action>", request)
        message = _found(rb"<a:MessageID>([^<]*)<", request)
        if action == "Send":
            self.input += base64.b64decode(_found(rb"<rsp:Stream [^>]*>([^<]*)<", request))
        self.asked.append(f"{action}!" if b'End="true"' in request else action)
        waiting = self.script.get(action)
        answer = waiting.popleft() if waiting else _well(action)
        match answer:
            case Drop():
                return None
            case Hang():
                self._stopped.wait()
                return None
            case Fault(code=code, words=words):
                return "500 Internal Server Error", _ENVELOPE % (message, _FAULT % (words, code))
            case Output():
                return "200 OK", _ENVELOPE % (message, answer.body())
        return "200 OK", _ENVELOPE % (message, _BODIES.get(action, ""))


def _well(action: str) -> Answer | None:
    return None if action in _BODIES else Output(exit_code=0)


def _request(readline: Callable[[], bytes]) -> int | None:
    """The length of the next request's body."""
    if not readline():
        return None
    length = 0
    while line := readline().strip().lower():
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return length


def _found(pattern: bytes, text: bytes) -> str:
    match = re.search(pattern, text)
    return match[1].decode() if match else ""


@contextlib.contextmanager
def scripted() -> Iterator[Service]:
    """A service for the time of the block."""
    service = Service()
    try:
        yield service
    finally:
        service.stop()
