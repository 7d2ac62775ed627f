import hashlib
import io
import tarfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from config.causes import Cause
from lab.sshd import SshdFactory
from tasks.outcomes import Outcome, RunState
from tests.support.rollout import Rollout, outcomes
from tests.support.yaml_files import application_of, write_yaml

pytestmark = pytest.mark.integration


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def packages(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "packages"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def _package(folder: Path) -> str:
    archive = folder / "shop-1.4.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, text in (("install.sh", 'echo "installed $1" > installed\n'), ("VERSION", "1.4\n")):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o755
            tar.addfile(entry, io.BytesIO(text.encode()))
    return hashlib.sha256(archive.read_bytes()).hexdigest()


def test_a_deployment_goes_out_in_batches(rollout: Rollout) -> None:
    rollout.site.start_worker("official")
    application = application_of(
        {"run": 'echo "version $version on $LONGSHORE_HOST in batch $LONGSHORE_BATCH"'},
        rollout={"batches": [1, "100%"]},
    )

    view = rollout.deploy(rollout.fleet(), application, version="1.5")

    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok"], ["ok", "ok"]])
    assert rollout.printed(view, "web-1") == b"version 1.5 on web-1 in batch 1\n"
    assert rollout.printed(view, "web-3") == b"version 1.5 on web-3 in batch 2\n"
    assert view.verification is not None


def test_every_kind_of_action_does_what_it_says(rollout: Rollout, packages: tuple[Path, str]) -> None:
    folder, url = packages
    checksum = _package(folder)
    site = rollout.site
    (site.folder / "motd").write_text("hello\n")
    (site.folder / "etc" / "conf.d").mkdir(parents=True)
    (site.folder / "etc" / "conf.d" / "a.conf").write_text("a = 1\n")
    site.start_worker("official")
    home = str(rollout.home)
    application = application_of(
        {"fetch": {"url": f"{url}/shop-{{{{ version }}}}.tgz", "sha256": checksum, "to": f"{home}/p.tgz"}},
        {"unpack": {"archive": f"{home}/p.tgz", "to": f"{home}/releases/{{{{ version }}}}"}},
        {"run": 'sh ./install.sh "$version"', "in": f"{home}/releases/{{{{ version }}}}"},
        {"link": {"from": f"{home}/current", "to": f"{home}/releases/{{{{ version }}}}"}},
        {"upload": {"from": str(site.folder / "motd"), "to": f"{home}/motd", "mode": "0600"}},
        {"upload": {"from": str(site.folder / "etc"), "to": f"{home}/etc"}},
        {"check": {"command": f"grep -q 'installed 1.4' {home}/current/installed", "within": "5s"}},
        {"check": {"http": f"{url}/shop-1.4.tgz", "within": "5s"}},
        {"run": "exit 9", "when": "test -e /nowhere"},
    )

    view = rollout.deploy(rollout.fleet(1), application)

    assert outcomes(view) == [["ok"]], (view.batches, rollout.printed(view, "web-1"))
    assert (rollout.home / "current" / "VERSION").read_text() == "1.4\n"
    assert (rollout.home / "motd").stat().st_mode & 0o777 == 0o600
    assert (rollout.home / "etc" / "conf.d" / "a.conf").read_text() == "a = 1\n"
    assert [str(step.state) for step in view.batches[0].hosts[0].steps] == ["ok"] * 8 + ["skipped"]


def test_a_failed_step_names_itself_and_stops_the_rollout(rollout: Rollout) -> None:
    rollout.site.start_worker("official")
    application = application_of(
        {"run": "echo one"},
        {"run": "echo no such table >&2; exit 3", "name": "migrate"},
        {"run": "echo never"},
        rollout={"batches": [1]},
    )

    view = rollout.deploy(rollout.fleet(), application)

    host = view.batches[0].hosts[0]
    assert view.state is RunState.FAILED
    assert outcomes(view) == [["failed"], ["not_started"], ["not_started"]]
    assert host.cause == Cause.STEP_FAILED
    assert "migrate" in host.message
    assert "exit code 3" in host.message
    assert "no such table" in host.message
    assert [str(step.state) for step in host.steps] == ["ok", "failed", "pending"]
    assert b"never" not in rollout.printed(view, "web-1")


def test_nothing_is_deployed_where_a_host_could_not_be_verified(rollout: Rollout) -> None:
    rollout.site.start_worker("official")
    fleet = rollout.fleet()
    fleet["clusters"]["web"]["hosts"]["web-2"]["port"] = 1
    witness = rollout.home / "witness"

    view = rollout.deploy(fleet, application_of({"run": f"echo x >> {witness}"}))

    assert view.state is RunState.FAILED
    assert outcomes(view) == [["not_started", "unreachable", "not_started"]]
    assert view.batches[0].hosts[1].cause == Cause.TCP_REFUSED
    assert not witness.exists()


def test_a_host_that_may_fail_does_not_stop_the_others(rollout: Rollout) -> None:
    rollout.site.start_worker("official")
    fleet = rollout.fleet()
    fleet["clusters"]["web"]["hosts"]["web-2"]["port"] = 1

    view = rollout.deploy(fleet, application_of({"run": "true"}, rollout={"batches": [2], "max_failed": 1}))

    assert (view.state, outcomes(view)) == (RunState.SUCCEEDED, [["ok", "unreachable"], ["ok"]])


def test_hosts_behind_a_proxy_share_one_connection_to_it(rollout: Rollout, sshd_factory: SshdFactory) -> None:
    proxy = sshd_factory()
    rollout.site.start_worker("official")

    view = rollout.deploy(rollout.fleet(6, proxy=proxy), application_of({"run": "true"}))

    assert outcomes(view) == [["ok"] * 6]
    assert {host.route for host in view.batches[0].hosts} == {"via bastion"}
    assert proxy.logins() == 1


def test_a_proxy_that_is_gone_is_one_cause_for_all_behind_it(
    rollout: Rollout, sshd_factory: SshdFactory
) -> None:
    proxy = sshd_factory()
    rollout.site.environment["LONGSHORE_ROUTE_WAIT"] = "1"
    rollout.site.start_worker("official")
    fleet = rollout.fleet(3, proxy=proxy)
    rollout.deploy(fleet, application_of({"run": "true"}))
    proxy.kill()

    view = rollout.deploy(fleet, application_of({"run": "true"}, rollout={"batches": [3], "max_failed": 3}))

    assert {host.outcome for host in view.batches[0].hosts} == {Outcome.UNREACHABLE}
    assert {host.cause for host in view.batches[0].hosts} == {Cause.PROXY_TCP_REFUSED}


def test_a_run_waits_for_a_worker_and_then_goes(rollout: Rollout) -> None:
    run = rollout.submit(rollout.fleet(1), application_of({"run": "true"}))
    waiting = rollout.client.run(str(run.view().verification)).view()

    assert (waiting.state, waiting.waiting) == (
        RunState.QUEUED,
        "waiting: no worker of pool official is running",
    )
    rollout.site.start_worker("official")

    assert rollout.end(run).state is RunState.SUCCEEDED


def test_a_job_runs_in_its_own_pool_only(rollout: Rollout) -> None:
    fleet = rollout.fleet(1)
    fleet["pools"]["frankfurt"] = {"kind": "self-hosted"}
    fleet["clusters"]["web"]["pool"] = "frankfurt"
    rollout.site.start_worker("official")
    run = rollout.submit(fleet, application_of({"run": "true"}))
    other = write_yaml(rollout.site.folder / "other.yaml", rollout.fleet(1))
    rollout.client.verify(other, "web").wait()

    assert run.view().state is RunState.QUEUED
    rollout.site.start_worker("frankfurt")

    assert rollout.end(run).batches[0].hosts[0].pool == "frankfurt"


def test_a_secret_is_on_the_host_and_nowhere_else(rollout: Rollout) -> None:
    planted = "s3cr3t-Tr0ub4dor"
    site = rollout.site
    site.environment["DB_PASSWORD"] = planted
    site.start_worker("official")
    application = application_of(
        {"run": f'printf %s "$db" > {rollout.home}/got; echo "the password is $db"'},
        {"run": 'echo "$db" >&2; exit 4'},
    )
    application["parameters"]["db"] = {"secret": {"env": "DB_PASSWORD"}}

    view = rollout.deploy(rollout.fleet(1), application)

    assert (rollout.home / "got").read_text() == planted
    assert b"the password is ***" in rollout.printed(view, "web-1")
    assert planted not in view.model_dump_json()
    assert planted not in site.logs()
    dump = b"".join(site.record.dump(key) + key for key in site.record.keys("*"))
    dump += b"".join(site.broker.dump(key) + key for key in site.broker.keys("*"))
    assert planted.encode() not in dump
    kept = [path for path in (site.folder / "redis").rglob("*") if path.is_file()]
    assert [path for path in kept if planted.encode() in path.read_bytes()] == []
    # What the commands printed themselves stays in the run's log on the host, readable by its login alone.
    left = [path for path in rollout.home.rglob("*") if path.is_file()]
    names = {path.name for path in left if planted.encode() in path.read_bytes()}
    assert names == {"got", "log"}
    (run_directory,) = (rollout.home / "web-1" / "runs").iterdir()
    assert run_directory.stat().st_mode & 0o777 == 0o700


def test_a_secret_that_the_worker_has_not_is_named_and_nothing_is_done(rollout: Rollout) -> None:
    rollout.site.start_worker("official")
    application = application_of({"run": f"touch {rollout.home}/done"})
    application["parameters"]["db"] = {"secret": {"env": "NOT_SET_ANYWHERE"}}

    view = rollout.deploy(rollout.fleet(1), application)

    host = view.batches[0].hosts[0]
    assert (host.outcome, host.cause) == (Outcome.FAILED, Cause.CREDENTIAL)
    assert "NOT_SET_ANYWHERE" in host.message
    assert not (rollout.home / "done").exists()
