"""The actions on a stand-in Windows host, by the contracts of their units."""

import hashlib
import shutil
import socket
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.windows.runner import Runner

Fields = dict[str, Any]
_PULL_SECONDS = 30.0
_PROBE_SECONDS = 5.0
_PIECE = 256 * 1024


def _sum_of(place: Path) -> str:
    digest = hashlib.sha256()
    with place.open("rb") as file:
        while data := file.read(_PIECE):
            digest.update(data)
    return digest.hexdigest()


def _fetch(runner: Runner, fields: Fields) -> int:
    place, shown = runner.path(fields["to"]), runner.joined(fields["to"])
    wanted = runner.joined(fields["sha256"]).lower()
    if place.is_file() and _sum_of(place) == wanted:
        runner.line(f"{shown} is already there")
        return 0
    part = _beside(runner, place)
    try:
        with urllib.request.urlopen(runner.joined(fields["url"]), timeout=_PULL_SECONDS) as answer:  # noqa: S310 - what the application says
            while data := answer.read(_PIECE):
                runner.wait(0)
                with runner.process.working(), part.open("ab") as file:
                    runner.run.machine.written()
                    file.write(data)
    except urllib.error.HTTPError as error:
        error.close()
        return _not_pulled(
            runner, part, "pull_http", f"The remote server returned an error: ({error.code}) {error.reason}."
        )
    except urllib.error.URLError as error:
        return _not_pulled(runner, part, _pull_cause(error.reason), str(error.reason))
    except TimeoutError as error:
        return _not_pulled(runner, part, "pull_timeout", str(error))
    return _into_place(runner, part, place, wanted, shown)


def _pull_cause(reason: object) -> str:
    if isinstance(reason, socket.gaierror):
        return "pull_dns"
    if isinstance(reason, ConnectionRefusedError):
        return "pull_refused"
    return "pull_timeout" if isinstance(reason, OSError) else "pull_http"


def _not_pulled(runner: Runner, part: Path, cause: str, detail: str) -> int:
    part.unlink(missing_ok=True)
    return runner.cause(cause, detail)


def _beside(runner: Runner, place: Path) -> Path:
    with runner.process.working():
        runner.run.machine.written()
        place.parent.mkdir(parents=True, exist_ok=True)
        for left in place.parent.glob(f"{place.name}.longshore-*"):
            left.unlink()
        part = place.with_name(f"{place.name}.longshore-{runner.process.pid}")
        part.touch()
    return part


def _into_place(runner: Runner, part: Path, place: Path, wanted: str, shown: str) -> int:
    found = _sum_of(part)
    if found != wanted:
        part.unlink()
        return runner.cause("checksum", f"{shown}: expected {wanted}, got {found}")
    if place.is_dir():
        part.unlink()
        runner.line(f"{shown} is a folder; give the path of the file")
        return 1
    with runner.process.working():
        part.replace(place)
    return 0


def _install(runner: Runner, fields: Fields) -> int:
    uploads = runner.run.place / "uploads"
    for kind in ("file", "zip"):
        source = uploads / f"{runner.index}.{kind}"
        if source.is_file():
            found = source.with_name(f"{source.name}.sum").read_text()
            return _put_in_place(runner, fields, source, found)
    return runner.cause("upload_source", "nothing was uploaded for this step")


def _put_in_place(runner: Runner, fields: Fields, source: Path, found: str) -> int:
    shown = runner.joined(fields["to"])
    if fields["sha256"] is not None and runner.joined(fields["sha256"]).lower() != found:
        return runner.cause(
            "checksum", f"{shown}: expected {runner.joined(fields['sha256']).lower()}, got {found}"
        )
    place = runner.path(fields["to"])
    if source.suffix == ".zip":
        return _switch_folder(runner, place, shown, source)
    if place.is_file() and _sum_of(place) == found:
        return 0
    part = _beside(runner, place)
    with runner.process.working():
        shutil.copyfile(source, part)
    return _into_place(runner, part, place, found, shown)


def _switch_folder(runner: Runner, place: Path, shown: str, archive: Path) -> int:
    stamp = place.with_name(f".{place.name}.longshore")
    if place.is_file() or (place.is_dir() and not stamp.exists() and any(place.iterdir())):
        runner.line(
            f"{shown} is there and was not put there by a deployment: remove it, or choose another folder"
        )
        return 1
    new, old = (place.with_name(f"{place.name}.longshore-{word}") for word in ("new", "old"))
    with runner.process.working():
        runner.run.machine.written()
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        new.mkdir(parents=True)
    try:
        with runner.process.working(), zipfile.ZipFile(archive) as packed:
            packed.extractall(new)
    except zipfile.BadZipFile as error:
        shutil.rmtree(new)
        runner.line(f"{archive.name}: {error}")
        return 1
    with runner.process.working():
        stamp.touch()
        if place.exists():
            place.rename(old)
        new.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    return 0


def _unpack(runner: Runner, fields: Fields) -> int:
    archive = runner.path(fields["archive"])
    if not archive.is_file():
        runner.line(f"there is no archive {runner.joined(fields['archive'])}")
        return 1
    return _switch_folder(runner, runner.path(fields["to"]), runner.joined(fields["to"]), archive)


def _link(runner: Runner, fields: Fields) -> int:
    link, to = runner.path(fields["link"]), runner.path(fields["to"])
    shown = runner.joined(fields["link"])
    if not to.is_dir():
        runner.line(f"there is no folder {runner.joined(fields['to'])}")
        return 1
    if link.exists() and not link.is_symlink():
        runner.line(f"{shown} is there and is no link: move it away first")
        return 1
    with runner.process.working():
        runner.run.machine.written()
        link.parent.mkdir(parents=True, exist_ok=True)
        new = link.with_name(f"{link.name}.longshore-new")
        new.unlink(missing_ok=True)
        new.symlink_to(to, target_is_directory=True)
        link.unlink(missing_ok=True)
        new.rename(link)
    return 0


def _service(runner: Runner, fields: Fields) -> int:
    name = runner.joined(fields["name"])
    service = runner.run.machine.services.get(name.lower())
    if service is None:
        runner.line(f"there is no service {name}")
        return 1
    if not service.allowed:
        return runner.cause("privilege", f"Service '{name}' cannot be opened: access is denied")
    with runner.process.working():
        match fields["state"]:
            case "started" | "restarted" if service.start_type == "Disabled":
                runner.line(f"Service '{name}' cannot be started: it is disabled")
                return 1
            case "started" | "restarted":
                service.running = True
            case "stopped":
                service.running = False
            case "enabled":
                service.start_type = "Automatic"
            case "disabled":
                service.start_type = "Disabled"
    return 0


def _check(runner: Runner, fields: Fields) -> int:
    end = time.monotonic() + fields["within"]
    while wrong := _wrong(runner, fields):
        if time.monotonic() >= end:
            return runner.cause("check_failed", wrong)
        runner.wait(fields["every"])
    return 0


def _wrong(runner: Runner, fields: Fields) -> str:
    if fields["http"] is not None:
        return _wrong_answer(runner.joined(fields["http"]), fields["status"])
    if fields["host"] is not None:
        name, port = runner.joined(fields["host"]), fields["port"]
        try:
            socket.create_connection((name, port), timeout=_PROBE_SECONDS).close()
        except OSError as error:
            return f"no connection to {name} port {port}: {error.strerror or error}"
        return ""
    code = runner.text(fields["shell"], fields["command"], "check")
    return f"exit code {code}" if code else ""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _wrong_answer(url: str, wanted: int) -> str:
    try:
        with urllib.request.build_opener(_NoRedirects).open(url, timeout=2 * _PROBE_SECONDS) as answer:
            found = answer.status
    except urllib.error.HTTPError as error:
        found = error.code
        error.close()
    except OSError as error:
        return str(error)
    return "" if found == wanted else f"answered with status {found}, expected {wanted}"


def _iis(runner: Runner, fields: Fields) -> int:
    iis, name = runner.run.machine.iis, runner.joined(fields["name"])
    if iis is None:
        return runner.cause("tool_missing", "WebAdministration")
    known = iis.sites if fields["kind"] == "site" else iis.app_pools
    if name not in known:
        kind = "site" if fields["kind"] == "site" else "application pool"
        runner.line(f"IIS has no {kind} {name}")
        return 1
    with runner.process.working():
        was, known[name] = known[name], fields["state"] != "stopped"
        if was and fields["state"] == "recycled":
            iis.recycled[name] = iis.recycled.get(name, 0) + 1
    return 0


ACTIONS: dict[str, Callable[[Runner, Fields], int]] = {
    "fetch": _fetch,
    "upload": _install,
    "unpack": _unpack,
    "link": _link,
    "service": _service,
    "check": _check,
    "iis": _iis,
}
