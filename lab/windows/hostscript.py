"""What a worker's PowerShell does on a host: the driver's modes, carried out in Python by their contract."""

import hashlib
import json
from contextlib import suppress
from itertools import count
from pathlib import Path

from lab.windows.processes import Process
from lab.windows.rundir import (
    ALIVE,
    BUSY,
    FAILED,
    RunDirectory,
    SaidError,
    control,
    unwritable,
    uptime,
)
from lab.windows.runner import start_runner
from lab.windows.units import Data, check_units

_PIECE = 65_536
_LOOK_SECONDS = 0.1
_LOOKS_PER_PIECE = 5


class EarlyEndError(Exception):
    """The input ended before all of an upload had come."""


def run(process: Process) -> int:
    """The bootstrap: script and data from standard input, and then the mode.

    Raises:
        UnknownUnitError: the lab has no stand-in for the script.
    """
    header = b""
    while not header.endswith(b"\n"):
        byte = process.stdin.read(1)
        if not byte:
            return _cut_short(process)
        header += byte
    words = header.split()
    if words[0] != b"longshore":
        process.complain("longshore: not a host script")
        return FAILED
    sizes = int(words[1]), int(words[2])
    script, document = (process.stdin.read_exactly(size) for size in sizes)
    if (len(script), len(document)) != sizes:
        return _cut_short(process)
    check_units(script.decode())
    data: Data = json.loads(document)
    try:
        return _mode(process, data, script.decode(), document.decode())
    except EarlyEndError:
        return FAILED
    except SaidError as said:
        process.outputs.write("stdout", control(data["marker"], said.line))
        return said.code


def _cut_short(process: Process) -> int:
    process.complain("longshore: the input ended early")
    return FAILED


def _mode(process: Process, data: Data, script: str, document: str) -> int:
    directory = RunDirectory(process, data)
    match data["mode"]:
        case "run" | "resume":
            _start(directory, script, document)
        case "attach":
            directory.enter()
            directory.look()
            _begun(directory)
        case "probe":
            _probe(directory)
        case "stop":
            _stop(directory)
        case "put":
            _put(directory)
        case "verify":
            _verify(directory)
    return 0


def _probe(directory: RunDirectory) -> None:
    if directory.place.is_dir():
        directory.look()
    directory.say(directory.status)


def _begun(directory: RunDirectory) -> None:
    directory.say(directory.status)
    if (directory.place / "log").exists():
        _follow(directory, on=directory.state == "running")


def _follow(directory: RunDirectory, *, on: bool) -> None:
    """The log from the offset on, until the run is over or its runner is gone."""
    process, finish = directory.process, directory.place / "finish"
    with (directory.place / "log").open("rb") as log:
        log.seek(directory.data["offset"])
        for look in count():
            over = not on or finish.exists() or not process.machine.processes.alive(*directory.runner)
            while (over or look % _LOOKS_PER_PIECE == 0) and (data := log.read(_PIECE)):
                process.outputs.write("stdout", data)
            if over:
                return
            process.wait(_LOOK_SECONDS)


def _start(directory: RunDirectory, script: str, document: str) -> None:
    expected = "new" if directory.data["mode"] == "run" else "gone"
    directory.enter()
    directory.look()
    if directory.state != expected or directory.word.startswith("orphans"):
        _begun(directory)
        return
    before = directory.status
    answer = start_runner(directory, script, document)
    directory.look()
    if answer == "lost":
        _begun(directory)
        return
    if answer != "claimed":
        raise SaidError(BUSY if answer.startswith("busy") else FAILED, answer)
    directory.say(before)
    _follow(directory, on=True)


def _stop(directory: RunDirectory) -> None:
    directory.enter()
    try:
        if directory.claim("go.1", "cancelled"):
            raise SaidError(0, "stopped never")
        directory.claim("cancel", "")
    except OSError as error:
        raise unwritable(error) from None
    directory.look()
    if directory.state == "cancelled":
        raise SaidError(0, "stopped never")
    if directory.state == "finished":
        raise SaidError(0, "stopped finished")
    rebooted = directory.word == "rebooted"
    left = [] if rebooted else directory.machine.processes.kill_tree(*directory.runner)
    if left:
        raise SaidError(ALIVE, f"stopped alive {' '.join(str(each.pid) for each in left)}")
    if not (directory.place / "finish").exists():
        with suppress(OSError), directory.process.working():
            directory.machine.written()
            with (directory.place / "log").open("ab") as log:
                log.write(control(directory.data["marker"], f"finish {uptime()} 130 cancelled"))
            directory.claim("finish", "130")
    raise SaidError(0, "stopped gone")


def _put(directory: RunDirectory) -> None:
    directory.enter()
    data, process = directory.data, directory.process
    place = directory.place / "uploads" / data["name"]
    part = place.with_name(f"{place.name}.{data['sha256'][:16]}.part")
    try:
        with process.working():
            directory.machine.written()
            part.parent.mkdir(exist_ok=True)
            _stop_earlier(process, place.with_name(f"{place.name}.holder"))
            part.touch()
            if part.stat().st_size > data["size"]:
                part.write_bytes(b"")
        _receive(directory, part)
        found = hashlib.sha256(part.read_bytes()).hexdigest()
        if found != data["sha256"]:
            part.unlink()
            raise SaidError(FAILED, f"fail checksum the upload arrived as {found}, expected {data['sha256']}")
        with process.working():
            place.with_name(f"{place.name}.sum").write_text(found)
            part.rename(place)
    except OSError as error:
        raise unwritable(error) from None
    raise SaidError(0, f"put {data['name']}")


def _stop_earlier(process: Process, holder: Path) -> None:
    """End an earlier try that still waits for input: on Windows it keeps the file to itself."""
    if holder.exists():
        pid, started = (int(word) for word in holder.read_text().split())
        process.machine.processes.kill_tree(pid, started)
    holder.write_text(f"{process.pid} {process.started}")


def _receive(directory: RunDirectory, part: Path) -> None:
    left = directory.data["size"] - part.stat().st_size
    directory.say(f"have {part.stat().st_size}")
    while left:
        data = directory.process.stdin.read(left)
        if not data:
            raise EarlyEndError
        with directory.process.working():
            directory.machine.written()
            with part.open("ab") as file:
                file.write(data)
        left -= len(data)


def _verify(directory: RunDirectory) -> None:
    process, machine = directory.process, directory.machine

    def stage(name: str, verdict: str, cause: str, detail: str) -> None:
        process.outputs.write("stdout", f"longshore-verify {name} {verdict} {cause} {detail}\n".encode())

    stage("command", "ok", "-", "PowerShell 5.1, as the WinRM protocol lab plays it")
    try:
        with process.working():
            machine.written()
            directory.work.mkdir(parents=True, exist_ok=True)
            probe = directory.work / f".verify.{process.pid}"
            probe.write_bytes(bytes(_PIECE))
            probe.unlink()
    except OSError as error:
        stage("workdir", "failed", unwritable(error).line.split()[1], error.strerror or str(error))
        return
    stage("workdir", "ok", "-", "free space unknown")
    if directory.data["detached"]:
        refused = machine.trouble.wmi_refused
        stage(
            "privilege", *(("failed", "privilege", "WMI refuses this login") if refused else ("ok", "-", ""))
        )
