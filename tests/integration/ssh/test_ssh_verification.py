"""Verification proves each stage on real hosts, and the first that fails gives the cause."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.causes import Cause
from config.fleet import Become, Credential
from config.targets import HostTarget
from lab.accounts import is_root
from lab.sshd import Sshd, SshdFactory
from tasks.outcomes import HostResult, Outcome, StepState
from tasks.verification import verify
from tests.support.ssh import QUICK, stranger
from tests.support.trouble import silent_server
from workers.connections import Connections


@pytest.fixture
def connections() -> Iterator[Connections]:
    made = Connections(idle=60, deadlines=QUICK)
    yield made
    made.close()


def at(target: HostTarget, **changes: object) -> HostTarget:
    return target.model_copy(update=changes)


def check(target: HostTarget, connections: Connections, *, timeout: float = 20.0) -> HostResult:
    return verify(target, {}, connect=connections.session, clock=time.monotonic, timeout=timeout)


def states(result: HostResult) -> dict[str, StepState]:
    return {step.name: step.state for step in result.steps}


def test_good_host_passes_every_stage_and_shows_its_key(sshd: Sshd, connections: Connections) -> None:
    result = check(at(sshd.target(), host_key=()), connections)
    assert (result.outcome, result.cause) == (Outcome.OK, None)
    assert [step.name for step in result.steps] == [
        "dns", "tcp", "banner", "host_key", "login", "command", "workdir",
    ]  # fmt: skip
    assert set(states(result).values()) == {StepState.OK}
    assert all(step.seconds is not None for step in result.steps)
    assert result.observed_keys == {"web-1": sshd.host_key}
    assert (sshd.account.home / ".longshore").is_dir()
    assert list((sshd.account.home / ".longshore").iterdir()) == []


def test_proxied_host_has_stages_for_its_proxy(
    sshd: Sshd, sshd_factory: SshdFactory, connections: Connections
) -> None:
    proxy = sshd_factory()
    results = [check(sshd.target(name, via=(proxy.hop(),)), connections) for name in ("web-1", "web-2")]
    assert [step.name for step in results[0].steps] == [
        "dns", "tcp", "proxy_login", "forward", "banner", "host_key", "login", "command", "workdir",
    ]  # fmt: skip
    assert [step.name for step in results[1].steps][:2] == ["proxy_login", "forward"]
    assert results[1].steps[0].note == "kept connection to bastion"
    assert results[1].observed_keys == {"bastion": proxy.host_key, "web-2": sshd.host_key}


def test_verification_logs_in_anew_even_when_a_session_is_kept(sshd: Sshd, connections: Connections) -> None:
    check(sshd.target(), connections)
    check(sshd.target(), connections)
    assert sshd.logins() == 2


def test_first_stage_that_fails_gives_the_cause(sshd: Sshd, tmp_path: Path, connections: Connections) -> None:
    other = stranger(sshd, tmp_path)
    absent = Credential(user=sshd.account.user, key_file=str(tmp_path / "absent"))
    with silent_server() as silent:
        results = [
            check(target, connections)
            for target in (
                at(sshd.target(), address="no-such-host.invalid"),
                at(sshd.target(), port=silent.port),
                sshd.target(credential=other),
                sshd.target(credential=absent),
            )
        ]
    found = [(result.outcome, result.cause, result.steps[-1].name) for result in results]
    assert found == [
        (Outcome.UNREACHABLE, Cause.DNS, "dns"),
        (Outcome.UNREACHABLE, Cause.PROTOCOL, "banner"),
        (Outcome.UNREACHABLE, Cause.AUTH, "login"),
        (Outcome.UNREACHABLE, Cause.CREDENTIAL, "login"),
    ]
    assert all(result.steps[-1].state is StepState.FAILED for result in results)
    assert all(result.message for result in results)


def test_work_directory_that_can_not_be_written_is_workdir(sshd: Sshd, connections: Connections) -> None:
    result = check(at(sshd.target(), work_directory="/proc/longshore"), connections)
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.WORKDIR)
    assert states(result)["command"] is StepState.OK
    assert states(result)["workdir"] is StepState.FAILED
    assert "/proc/longshore" in result.message


@pytest.fixture
def full_disk(sshd: Sshd) -> Iterator[Path]:
    if not is_root():
        pytest.skip("a small file system needs root")
    mount = sshd.account.home / "full"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0777", "longshore-test", str(mount)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        mount.rmdir()
        pytest.skip(f"mount: {done.stderr.strip()}")
    try:
        (mount / "filler").write_bytes(bytes(60 * 1024))
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)
        mount.rmdir()


def test_full_disk_is_told_apart(sshd: Sshd, full_disk: Path, connections: Connections) -> None:
    result = check(at(sshd.target(), work_directory=str(full_disk / "work")), connections)
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.DISK_FULL)


def test_become_that_is_not_allowed_is_privilege(sshd: Sshd, connections: Connections) -> None:
    if not is_root():
        pytest.skip("the current user's sudo rules are not known")
    result = check(at(sshd.target(), become=Become(user="root")), connections)
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.PRIVILEGE)
    assert states(result)["workdir"] is StepState.OK
    assert "root" in result.message


def test_become_that_is_allowed_passes(sshd: Sshd, connections: Connections) -> None:
    if not is_root() or shutil.which("sudo") is None:
        pytest.skip("a sudo rule needs root and sudo")
    rule = Path("/etc/sudoers.d") / sshd.account.user
    rule.write_text(f"{sshd.account.user} ALL=(root) NOPASSWD: ALL\n")
    rule.chmod(0o440)
    try:
        result = check(at(sshd.target(), become=Become(user="root")), connections)
    finally:
        rule.unlink()
    assert (result.outcome, states(result)["privilege"]) == (Outcome.OK, StepState.OK)


def test_host_without_setsid_is_tool_missing(sshd_factory: SshdFactory, connections: Connections) -> None:
    tools = Path(os.path.realpath(sshd_factory(start=False).folder)) / "tools"
    tools.mkdir()
    for name in ("sh", "head", "tail", "printf", "tr"):
        (tools / name).symlink_to(str(shutil.which(name)))
    server = sshd_factory(options={"SetEnv": f"PATH={tools}"})
    result = check(server.target(), connections)
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.TOOL_MISSING)
    assert "setsid" in result.message
    assert states(result)["command"] is StepState.FAILED


def test_account_that_runs_no_command_says_what_it_printed(
    sshd_factory: SshdFactory, connections: Connections
) -> None:
    server = sshd_factory(options={"ForceCommand": "echo This account is closed.; exit 1"})
    result = check(server.target(), connections)
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.COMMAND)
    assert "This account is closed." in result.message
    assert "exit code 1" in result.message


def test_host_that_never_answers_the_command_ends_by_the_deadline(
    sshd_factory: SshdFactory, connections: Connections
) -> None:
    server = sshd_factory(options={"ForceCommand": "exec sleep 60"})
    result = check(server.target(), connections, timeout=0.5)
    assert (result.outcome, result.cause) == (Outcome.FAILED, Cause.COMMAND)


def test_noise_around_the_report_is_passed_over(sshd_factory: SshdFactory, connections: Connections) -> None:
    noisy = "echo welcome; echo longshore-verify nothing ok - x; exec /bin/sh -s"
    server = sshd_factory(options={"ForceCommand": noisy})
    assert check(server.target(), connections).outcome is Outcome.OK
