"""A WinRM service in front of a stand-in Windows machine; one command at a time, in one shell."""

import base64
import re
from dataclasses import dataclass, field

from lab.windows.machine import WindowsMachine
from lab.windows.processes import Process
from tests.support.scripted_winrm import NOTHING_YET, UNKNOWN, Answer, Fault, Output, Service


@dataclass
class MachineService(Service):
    """Carries out on a machine whatever the script doesn't say otherwise."""

    machine: WindowsMachine | None = None
    user: str = ""
    _process: Process | None = field(default=None, init=False)

    def unscripted(self, action: str, request: bytes) -> Answer | None:
        """Ask the machine."""
        text = request.decode()
        if action == "Command":
            self._start(_only(r"<rsp:Command>([^<]*)<", text))
            return None
        if action == "Create":
            return None
        process = self._process
        if process is None:
            return Output() if action == "Delete" else Fault(UNKNOWN)
        if action == "Send":
            process.stdin.feed(base64.b64decode(_only(r"<rsp:Stream [^>]*>([^<]*)<", text)))
            if 'End="true"' in text:
                process.stdin.end()
        if action in ("Signal", "Delete"):
            process.kill()
        return self._output(process, text) if action == "Receive" else Output()

    def _start(self, line: str) -> None:
        assert self.machine is not None
        self._process = self.machine.start(line, user=self.user)

    def _output(self, process: Process, text: str) -> Answer:
        parts = process.outputs.take(float(_only(r"<w:OperationTimeout>PT(\d+)S<", text)))
        if not parts and process.exit_code is None:
            return Fault(NOTHING_YET)
        stdout = b"".join(data for stream, data in parts if stream == "stdout")
        stderr = b"".join(data for stream, data in parts if stream == "stderr")
        if parts:
            return Output(stdout, stderr)
        self._process = None
        return Output(exit_code=process.exit_code)


def _only(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} in {text}"
    return found[1]
