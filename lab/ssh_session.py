"""One command on a stand-in host: an SSH channel at one end, a process of this machine at the other."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

import asyncssh

from lab.processes import ProcessTable

if TYPE_CHECKING:
    import subprocess

_CHUNK = 65536


class CommandSession(asyncssh.SSHServerSession[bytes]):
    """Runs what is asked for with ``/bin/sh`` and carries its three streams, as sshd does.

    Like sshd it leaves the process alone when the connection goes: what the process then meets is
    the end of its input and a broken pipe at its output.
    """

    def __init__(self, processes: ProcessTable, *, home: Path, environment: Mapping[str, str]) -> None:
        self._processes = processes
        self._home = home
        self._environment = environment
        self._loop = asyncio.get_running_loop()
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._outputs: dict[int, tuple[IO[bytes], int | None]] = {}
        self._unwritten = bytearray()
        self._input_ended = False
        self._exit_code: int | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """Remember the channel."""
        self._channel = chan

    def shell_requested(self) -> bool:
        """A shell that reads its commands from the channel."""
        return self._start(["/bin/sh"])

    def exec_requested(self, command: str) -> bool:
        """One command."""
        return self._start(["/bin/sh", "-c", command])

    def _start(self, argv: list[str]) -> bool:
        try:
            process = self._processes.start(
                argv, cwd=self._home, env=self._environment, ended=self._process_ended
            )
        except OSError:  # the host's directory is gone, or there is no room for another process
            return False
        self._process = process
        for pipe, kind in ((process.stdout, None), (process.stderr, asyncssh.EXTENDED_DATA_STDERR)):
            assert pipe is not None  # noqa: S101 - the table opens all three
            os.set_blocking(pipe.fileno(), False)
            self._outputs[pipe.fileno()] = (pipe, kind)
        assert process.stdin is not None  # noqa: S101 - the table opens all three
        os.set_blocking(process.stdin.fileno(), False)
        return True

    def session_started(self) -> None:
        """Output may flow from here on: the client has been told that the command runs."""
        self.resume_writing()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Bytes for the process's standard input."""
        del datatype
        self._unwritten += data
        self._feed()

    def eof_received(self) -> bool:
        """The end of the process's standard input; its output goes on."""
        self._input_ended = True
        self._feed()
        return True

    def pause_writing(self) -> None:
        """The client is slower than the process: let the process wait in its pipe."""
        for descriptor in self._outputs:
            self._loop.remove_reader(descriptor)

    def resume_writing(self) -> None:
        """The client has caught up."""
        for descriptor in self._outputs:
            self._loop.add_reader(descriptor, self._drain, descriptor)

    def signal_received(self, signal: str) -> None:
        """Pass a signal on to the process's group."""
        number = _signal_number(signal)
        if self._process and self._exit_code is None and number:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the process; it may go on."""
        del exc
        self._channel = None
        for descriptor in list(self._outputs):
            self._close_output(descriptor)
        self._close_input()

    def _feed(self) -> None:
        pipe = self._process.stdin if self._process else None
        if pipe is None or pipe.closed:
            self._unwritten.clear()
            return
        try:
            while self._unwritten:
                del self._unwritten[: os.write(pipe.fileno(), self._unwritten[:_CHUNK])]
        except BlockingIOError:
            self._loop.add_writer(pipe.fileno(), self._feed)
            if self._channel:
                self._channel.pause_reading()
            return
        except BrokenPipeError:  # the process reads no more; sshd drops the rest too
            self._unwritten.clear()
            self._input_ended = True
        if self._loop.remove_writer(pipe.fileno()) and self._channel:
            # This hands over what has waited, and with it comes back into this very function.
            self._channel.resume_reading()
        if self._input_ended and not self._unwritten:
            self._close_input()

    def _close_input(self) -> None:
        pipe = self._process.stdin if self._process else None
        self._unwritten.clear()
        if pipe and not pipe.closed:
            self._loop.remove_writer(pipe.fileno())
            pipe.close()

    def _drain(self, descriptor: int) -> None:
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        if data and self._channel:
            self._channel.write(data, self._outputs[descriptor][1])
        else:
            self._close_output(descriptor)
            self._end_when_complete()

    def _close_output(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        pipe, _ = self._outputs.pop(descriptor)
        pipe.close()

    def _process_ended(self, code: int) -> None:
        self._exit_code = code
        self._end_when_complete()

    def _end_when_complete(self) -> None:
        """Tell the exit code once the process is gone and everything that it wrote has been read."""
        if self._channel is None or self._exit_code is None or self._outputs:
            return
        if self._exit_code < 0:
            self._channel.exit_with_signal(signal.Signals(-self._exit_code).name.removeprefix("SIG"))
        else:
            self._channel.exit(self._exit_code)


def _signal_number(name: str) -> int | None:
    try:
        return signal.Signals[f"SIG{name}"]
    except KeyError:
        return None
