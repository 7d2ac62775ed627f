"""Every kind of action at work on a host, but those that need a network."""

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from config.causes import Cause
from tasks.hostscript import driver
from tasks.hostscript.control import PutDone
from tasks.hostscript.results import Progress
from tasks.outcomes import Outcome
from tests.support.hostscript import Host, folded, names, require, steps

KINDS = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def archive(path: Path, mode: str, **files: str) -> None:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            member.uid = member.gid = 4242
            tar.addfile(member, io.BytesIO(text.encode()))


def put(host: Host, name: str, content: bytes, *, sha256: str | None = None) -> Any:
    checksum = sha256 or hashlib.sha256(content).hexdigest()
    return host.ask(driver.put(host.where, name, size=len(content), sha256=checksum), extra=content).only


def one(host: Host, action: dict[str, Any], **parameters: str) -> Progress:
    return host.carry_out(action, **parameters)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_unpack_takes_each_kind_of_archive(host: Host, kind: str) -> None:
    archive(host.home / f"shop.{kind}", KINDS[kind], **{"bin": "#!/bin/sh", "etc/shop.conf": "x=1"})
    progress = one(host, {"unpack": {"archive": f"shop.{kind}", "to": "opt/releases/1.4"}})
    assert progress.result().outcome is Outcome.OK, progress.result()
    release = host.home / "opt/releases/1.4"
    assert (release / "etc/shop.conf").read_text() == "x=1"
    assert (release / "bin").stat().st_uid == os.geteuid()
    assert names(release) == ["bin", "etc"]
    assert names(release.parent) == [".1.4.longshore", "1.4"]


def test_unpack_takes_zstandard_and_zip(dash_host: Host) -> None:
    home = dash_host.home
    archive(home / "shop.tar", "w", file="zst")
    subprocess.run([require("zstd"), "-q", home / "shop.tar"], check=True)
    with zipfile.ZipFile(home / "shop.zip", "w") as zipped:
        zipped.writestr("file", "zip")
    require("unzip")
    _, progress = dash_host.carry_out(
        {"unpack": {"archive": "shop.tar.zst", "to": "zst"}}, {"unpack": {"archive": "shop.zip", "to": "zip"}}
    )
    assert progress.result().outcome is Outcome.OK
    assert ((home / "zst/file").read_text(), (home / "zip/file").read_text()) == ("zst", "zip")


def test_unpack_replaces_what_it_unpacked_before_and_nothing_else(host: Host) -> None:
    action = {"unpack": {"archive": "shop.tar", "to": "release"}}
    archive(host.home / "shop.tar", "w", old="1")
    one(host, action)
    archive(host.home / "shop.tar", "w", new="2")
    one(host.of_run("run-2"), action)
    assert names(host.home / "release") == ["new"]
    (host.home / "data").mkdir()
    (host.home / "data" / "precious").touch()
    result = one(host.of_run("run-3"), {"unpack": {"archive": "shop.tar", "to": "data"}}).result()
    assert "was not put there by a deployment" in result.message
    assert names(host.home / "data") == ["precious"]


@pytest.mark.parametrize("cut", [100, 5000])
def test_a_broken_archive_shows_nothing_half_unpacked(host: Host, cut: int) -> None:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        member = tarfile.TarInfo("file")
        member.size = 50_000
        tar.addfile(member, io.BytesIO(os.urandom(50_000)))
    (host.home / "shop.tar.gz").write_bytes(gzip.compress(whole.getvalue())[:cut])
    result = one(host, {"unpack": {"archive": "shop.tar.gz", "to": "release"}}).result()
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.STEP_FAILED)
    assert not (host.home / "release").exists()
    assert not list(host.home.glob("release*"))


def test_link_switches_in_one_rename(host: Host) -> None:
    for release in ("1", "2"):
        (host.home / release).mkdir()
        progress = one(
            host.of_run(f"run-{release}"), {"link": {"from": "deep/current", "to": f"../{release}"}}
        )
        assert progress.result().outcome is Outcome.OK
        assert str((host.home / "deep/current").readlink()) == f"../{release}"
    assert names(host.home / "deep") == ["current"]
    assert names(host.home / "1") == []


def test_link_does_not_take_the_place_of_a_folder(host: Host) -> None:
    (host.home / "current").mkdir()
    result = one(host, {"link": {"from": "current", "to": "1"}}).result()
    assert "is there and is no link" in result.message
    assert (host.home / "current").is_dir()


def test_upload_puts_a_file_in_place_with_mode_and_checksum(host: Host) -> None:
    content = os.urandom(300_000)
    assert put(host, "1.file", content) == PutDone(name="1.file")
    checksum = hashlib.sha256(content).hexdigest()
    progress = one(host, {"upload": {"from": "x", "to": "opt/app.bin", "mode": "0750", "sha256": checksum}})
    assert progress.result().outcome is Outcome.OK
    target = host.home / "opt/app.bin"
    assert target.read_bytes() == content
    assert target.stat().st_mode & 0o777 == 0o750
    assert names(target.parent) == ["app.bin"]


def test_upload_of_a_folder_replaces_the_folder(host: Host) -> None:
    path = host.home / "folder.tar"
    archive(path, "w", **{"a": "1", "b/c": "2"})
    put(host, "1.tar", path.read_bytes())
    assert one(host, {"upload": {"from": "x", "to": "opt/site"}}).result().outcome is Outcome.OK
    assert (host.home / "opt/site/b/c").read_text() == "2"


def test_upload_that_is_not_what_was_declared_is_a_checksum_failure(host: Host) -> None:
    put(host, "1.file", b"other")
    result = one(host, {"upload": {"from": "x", "to": "app", "sha256": "0" * 64}}).result()
    assert result.cause is Cause.CHECKSUM
    assert not (host.home / "app").exists()


def test_upload_that_breaks_off_leaves_nothing(host: Host) -> None:
    content = b"x" * 1000
    cut = driver.put(host.where, "1.file", size=2000, sha256=hashlib.sha256(content).hexdigest())
    driven = host.start(cut, extra=content[:500])
    driven.end_input()
    assert driven.finish() == driver.EXIT_FAILED
    assert driven.only.cause is Cause.CHECKSUM
    assert names(host.directory / "uploads") == []
    result = one(host, {"upload": {"from": "x", "to": "app"}}).result()
    assert result.cause is Cause.UPLOAD_SOURCE


def test_service_runs_systemctl_with_the_verb(host: Host, tmp_path: Path) -> None:
    tools = tmp_path / "systemd"
    tools.mkdir()
    (tools / "systemctl").write_text(
        '#!/bin/sh\necho "$@" >>"$HOME/calls"\n[ "$4" != shut ] || { echo "Access denied"; exit 4; }\n'
    )
    (tools / "systemctl").chmod(0o755)
    with_systemd = host.on_path(f"{tools}:{host.path}")
    states = ("started", "stopped", "restarted", "reloaded", "enabled", "disabled")
    with_systemd.carry_out(*({"service": {"name": "shop", "state": state}} for state in states))
    verbs = ("start", "stop", "restart", "reload", "enable", "disable")
    assert (host.home / "calls").read_text() == "".join(
        f"--no-ask-password {verb} -- shop\n" for verb in verbs
    )
    denied = one(with_systemd.of_run("run-2"), {"service": {"name": "shut", "state": "started"}}).result()
    assert denied.cause is Cause.PRIVILEGE


def test_service_without_systemctl_is_a_missing_tool(host: Host) -> None:
    tools = host.home / "few"
    tools.mkdir()
    for tool in ("mkdir", "head", "tail", "sleep", "wc", "setsid"):
        (tools / tool).symlink_to(require(tool))
    bare = host.on_path(f"{host.path.split(':')[0]}:{tools}")
    result = one(bare, {"service": {"name": "shop", "state": "started"}}).result()
    assert (result.cause, result.message.split(": ")[1]) == (
        Cause.TOOL_MISSING,
        "the host has no systemctl; install the package systemd",
    )


def test_service_with_a_command_runs_it_with_the_verb(host: Host) -> None:
    driven, _ = host.carry_out(
        {"service": {"name": "shop", "state": "restarted", "command": 'echo "$v"'}}, v="1"
    )
    assert driven.output == b"1 restart\n"


def test_check_repeats_a_command_until_it_holds(host: Host) -> None:
    command = 'echo x >>tries; [ "$(wc -l <tries)" -ge 3 ]'
    progress = one(host, {"check": {"command": command, "within": "20s", "every": "0.05s"}})
    assert progress.result().outcome is Outcome.OK
    assert (host.home / "tries").read_text() == "x\n" * 3


def test_check_that_does_not_come_true_tells_the_last_error(host: Host) -> None:
    result = one(
        host, {"check": {"command": "echo starting; echo not yet; exit 3", "within": "0.2s", "every": "0.1s"}}
    ).result()
    assert result.cause is Cause.CHECK_FAILED
    assert result.message.endswith(": exit code 3: not yet")


@pytest.fixture
def sudo(tmp_path: Path) -> Path:
    """A sudo that lets the user named nobody be root, and refuses anyone else."""
    tools = tmp_path / "sudo"
    tools.mkdir()
    (tools / "sudo").write_text(
        '#!/bin/sh\necho "$@" >>"$HOME/sudo-calls"\n'
        '[ "$1 $2 $3" = "-n -u app" ] || { echo "sudo: a password is required" >&2; exit 1; }\n'
        'shift 3\nexec env -i PATH="$PATH" HOME=/nowhere AS=app "$@"\n'
    )
    (tools / "sudo").chmod(0o755)
    return tools


def test_become_hands_over_command_and_own_variables_on_stdin(host: Host, sudo: Path) -> None:
    allowed = host.on_path(f"{sudo}:{host.path}")
    value = 'it\'s a "secret"\n$HOME `x` \\'
    action = {
        "run": 'printf "%s|" "$AS" "$token" "$own" "$LONGSHORE_RUN" "$HOME" "$PWD"; cat; exit 3',
        "become": {"user": "app"},
        "env": {"own": "o'n"},
        "in": "folder",
        "when": '[ "$AS" = app ]',
    }
    (host.home / "folder").mkdir()
    driven, progress = allowed.carry_out(action, token=value)
    assert driven.output.decode() == f"app|{value}|o'n|run-1|/nowhere|{host.home}/folder|"
    assert progress.result().cause is Cause.STEP_FAILED
    assert progress.steps[0].exit_code == 3
    assert "secret" not in (host.home / "sudo-calls").read_text()


def test_become_runs_helpers_and_uploads(host: Host, sudo: Path) -> None:
    allowed = host.on_path(f"{sudo}:{host.path}")
    put(allowed, "1.file", b"content\n")
    as_app = {"become": {"user": "app"}}
    _, progress = allowed.carry_out(
        {"upload": {"from": "x", "to": "app/file"}, **as_app},
        {"link": {"from": "app/link", "to": "file"}, **as_app},
        {"check": {"command": 'grep -q content app/link; [ "$AS" = app ]', "within": "1s"}, **as_app},
        {"run": "false", **as_app, "when": "false"},
    )
    assert [step.state.value for step in progress.steps] == ["ok", "ok", "ok", "skipped"], progress.result()


def test_become_that_is_refused_is_a_matter_of_privilege(host: Host, sudo: Path) -> None:
    refused = host.on_path(f"{sudo}:{host.path}")
    result = one(refused, {"run": "echo ran", "become": True}).result()
    assert result.cause is Cause.PRIVILEGE
    assert result.message.endswith("could not become root: sudo: a password is required")


def test_a_cause_from_a_step_that_became_another_user_is_kept(host: Host, sudo: Path) -> None:
    allowed = host.on_path(f"{sudo}:{host.path}")
    action = {"check": {"command": "false", "within": "0.1s", "every": "0.1s"}, "become": {"user": "app"}}
    assert one(allowed, action).result().cause is Cause.CHECK_FAILED


def test_fetch_takes_what_is_there_already(host: Host) -> None:
    (host.home / "app").write_bytes(b"content")
    checksum = hashlib.sha256(b"content").hexdigest()
    declared = steps(
        {"fetch": {"url": "http://no.such.host.invalid/", "to": "app", "sha256": checksum, "mode": "0700"}}
    )
    driven = host.run(declared)
    assert driven.finish() == 0
    assert folded(declared, driven).result().outcome is Outcome.OK
    assert (host.home / "app").stat().st_mode & 0o777 == 0o700
