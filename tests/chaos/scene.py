"""What faults happen to: a Redis, workers, hosts with ledgers, a proxy, and a person who deploys."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from config.targets import RouteKind
from lab.accounts import Account, is_root
from lab.sshd import Sshd, running_servers
from lab.windows.portproxy import PortProxy
from producer import Client, Run
from tasks.batches import split_batches
from tasks.outcomes import RunState
from tasks.record import keys
from tests.support.desk import PASSWORD_VARIABLE, Desk, running_desk
from tests.support.ledgers import (
    WINDOWS_PROGRAM,
    Line,
    ledger_program,
    ledgered,
    ledgered_on_windows,
    lines_in,
    read_ledgers,
)
from tests.support.promises import broken_promises
from tests.support.relay import forwarded
from tests.support.site import ROOT, Site, running_site
from tests.support.windows_host import PASSWORD
from tests.support.yaml_files import application_of, fleet_of, merged, web_address, write_yaml

Cluster = Literal["web", "desk"]
MOST_HOSTS = 6

SHORT_LEASES = {
    "LONGSHORE_LEASE_SECONDS": "3",
    "LONGSHORE_SWEEP_INTERVAL": "1",
    "LONGSHORE_CANCEL_GRACE": "1",
}
SECRET = "s3cr3t-of-the-shop"  # noqa: S105 - planted, to be found nowhere
_SECRETS = (SECRET, PASSWORD)
END_SECONDS = 90.0
"""After the last fault, a run has this long to end or to say why it waits."""
RUNS_LOOKED_AT = 4
_DISK = "4m"
_SHIFTED_CLOCK = Path(__file__).with_name("shifted_clock")


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """What is deployed.

    Attributes:
        hosts: how many.
        steps: seconds that each step works.
        idempotent: numbers of the steps that are, from 1.
        batches: as an application declares them.
        cluster: ``web``, the Linux hosts, or ``desk``, the Windows ones.
        route: how they are reached.
    """

    hosts: int = 4
    steps: Sequence[float] = (0.2, 0.3, 0.2)
    idempotent: Sequence[int] = ()
    batches: Sequence[int | str] = (1, "100%")
    cluster: Cluster = "web"
    route: RouteKind = "direct"

    @property
    def seconds(self) -> float:
        """About how long it takes when nothing happens."""
        batches = split_batches([str(number) for number in range(self.hosts)], self.batches)
        return (sum(self.steps) + 0.1) * len(batches)


@dataclass(kw_only=True)
class Scene:
    """One place where faults happen.

    Attributes:
        crew: the workers that live, as indexes of the site's.
        relay: the Windows proxy.
        submitted: deployments, the newest last.
        lost: stretches of time, in ms, that a power loss took from the record.
        fell: workers that ended by themselves.
    """

    site: Site
    client: Client
    sshd: Sshd
    proxy: Sshd
    desk: Desk
    relay: PortProxy
    home: Path
    crew: list[int] = field(default_factory=list)
    submitted: list[Run] = field(default_factory=list)
    lost: list[tuple[float, float]] = field(default_factory=list)
    fell: list[str] = field(default_factory=list)
    seen_in_processes: set[str] = field(default_factory=set)

    def read_ledgers(self) -> dict[str, list[Line]]:
        """Host to its ledger."""
        windows = {name: lines_in("\n".join(self.desk.ledger(name))) for name in self.desk.hosts}
        return read_ledgers(self._ledgers) | windows

    @property
    def _ledgers(self) -> Path:
        return self.home / "ledgers"

    def work_directory(self, host: str) -> Path:
        """Where a host keeps what it knows of runs."""
        return self.home / host

    def start_worker(self, *, clock: float = 0.0, concurrency: int = 4) -> int:
        """Start a worker, its clock off by ``clock`` seconds, and wait until it lives; give its index."""
        environment = self.site.environment
        before = dict(environment)
        if clock:
            environment["PYTHONPATH"] = f"{_SHIFTED_CLOCK}{os.pathsep}{ROOT}"
            environment["CHAOS_CLOCK_SECONDS"] = str(clock)
        try:
            index = self.site.start_worker("official", concurrency=concurrency)
        finally:
            environment.clear()
            environment.update(before)
        self.crew.append(index)
        return index

    def name_of(self, worker: int) -> str:
        """A worker as the record names it."""
        return f"w{worker}@test"

    def deploy(self, rollout: Rollout) -> Run:
        """Submit a deployment."""
        folder = self.site.folder
        run = self.client.deploy(
            write_yaml(folder / "fleet.yaml", self._fleet(rollout.hosts, rollout.route)),
            write_yaml(folder / "shop.yaml", self._application(rollout)),
            rollout.cluster,
        )
        self.submitted.append(run)
        return run

    def verify(self, hosts: int) -> None:
        """Verify hosts of both systems, over all routes, so that deployments need not."""
        for route in get_args(RouteKind):
            fleet = write_yaml(self.site.folder / "fleet.yaml", self._fleet(hosts, route))
            assert self.client.verify(fleet, get_args(Cluster)).wait().state is RunState.SUCCEEDED

    def _fleet(self, hosts: int, route: RouteKind) -> dict[str, Any]:
        bastion = self.proxy if route == "jump" else None
        fleet = merged(
            fleet_of(self.sshd, hosts, home=self.home, proxy=bastion),
            self.desk.fleet(hosts, proxy="bastion") if bastion else self.desk.fleet(hosts),
        )
        return forwarded(fleet, self.relay) if route == "forward" else fleet

    def _application(self, rollout: Rollout) -> dict[str, Any]:
        actions = []
        for step, seconds in enumerate(rollout.steps, start=1):
            more = {"idempotent": True} if step in rollout.idempotent else {}
            if rollout.cluster == "desk":
                actions.append(ledgered_on_windows(step, seconds, **more))
            else:
                work = f'sleep {seconds:g}; echo "the password is $db"'
                actions.append(ledgered(self._ledgers, step, work, **more))
        application = application_of(*actions, rollout={"batches": list(rollout.batches)})
        application["parameters"]["db"] = {"secret": {"env": "DB_PASSWORD"}}
        return application

    def events(self, run: Run, *kinds: str) -> list[Any]:
        """A run's events of these kinds so far."""
        return [event for event in self.site.reader.events(run.id) if event.kind in kinds]

    def holders(self) -> dict[str, str]:
        """Lease to the worker that has it."""
        record = self.site.record
        return {
            key.decode(): (record.hget(key, "worker") or b"").decode() for key in record.scan_iter("lease:*")
        }

    def begun(self, step: int) -> int:
        """On how many hosts a step of the newest run has begun, by their ledgers."""
        run_id = self.submitted[-1].id
        ledgers = self.read_ledgers().values()
        return sum(
            any(line.run_id == run_id and line.step == step and line.word == "begin" for line in lines)
            for lines in ledgers
        )

    def log_of(self, worker: int) -> str:
        """What a worker has logged."""
        return (self.site.folder / f"worker-{worker}.log").read_text(errors="replace")

    def now(self) -> float:
        """The record's clock, in seconds since 1970."""
        seconds, microseconds = self.site.record.time()
        return float(seconds) + float(microseconds) / 1e6

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Wait until something has come about; fail with the workers' logs when it isn't in time."""
        self.site.wait_for(condition, what, seconds)

    def settle(self) -> bool:
        """Give the runs their time to end; whether all of them did."""
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            self._look_at_processes()
            self._start_again()
            if all(self._ended(run) for run in self.submitted[-RUNS_LOOKED_AT:]):
                return True
            time.sleep(0.1)
        return False

    def _start_again(self) -> None:
        """What a supervisor does: start workers again that have ended by themselves."""
        for worker in [each for each in self.crew if self.site.workers[each].poll() is not None]:
            self.crew.remove(worker)
            self.fell.append(self.name_of(worker))
            self.start_worker()

    def _ended(self, run: Run) -> bool:
        state = self.site.reader.state(run.id)
        return state is not None and state.ended

    def _look_at_processes(self) -> None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    line = (entry / "cmdline").read_bytes()
                    if any(secret.encode() in line for secret in _SECRETS):
                        self.seen_in_processes.add(line.replace(b"\0", b" ").decode(errors="replace"))

    def broken(self) -> list[str]:
        """What is broken of the promises to the newest runs, in words."""
        run_ids = []
        for run in self.submitted[-RUNS_LOOKED_AT:]:
            verification = self.site.record.hget(keys.run(run.id), "verification")
            run_ids += [verification.decode()] if verification else []
            run_ids.append(run.id)
        reader = self.site.reader
        broken = broken_promises(reader, list(dict.fromkeys(run_ids)), self.read_ledgers(), lost=self.lost)
        return broken + list(self._secrets())

    def _secrets(self) -> Iterator[str]:
        """Promise 6, invariant 9. All that was ever written is in the append-only file, in clear."""
        folder = self.site.folder
        kept = [path for path in (folder / "redis").rglob("*") if path.is_file()]
        for path in (*kept, *folder.glob("worker-*.log")):
            written = path.read_bytes()
            if any(secret.encode() in written for secret in _SECRETS):
                yield f"a secret is in {path.name}"
        yield from (f"a secret is in the arguments of {line!r}" for line in self.seen_in_processes)

    def figures(self, run: Run) -> str:
        """A run's state, its hosts' ends and its events, for people who look for the reason of something."""
        view = run.view()
        lines = [f"run {run.id}: {view.state} {view.reason} {view.waiting}"]
        lines += [
            f"  {host.name}: {host.outcome} {host.cause} {host.message}"
            for batch in view.batches
            for host in batch.hosts
        ]
        lines += [
            f"  {event.at:.3f} {event.kind} {event.host} {event.data}" for event in self._all_events(run)
        ]
        return "\n".join(lines)

    def _all_events(self, run: Run) -> list[Any]:
        return self.site.reader.events(run.id)

    def story(self) -> str:
        """All that is known of the newest runs: events, ledgers, and what the workers logged."""
        runs = [self.figures(run) for run in self.submitted[-2:]]
        ledgers = [
            "\n".join([f"{name}:", *(line.text for line in lines)])
            for name, lines in self.read_ledgers().items()
        ]
        return "\n".join([*runs, *ledgers, self.site.logs()])


@contextmanager
def running_scene(folder: Path, account: Account, *, workers: int = 2, **settings: str) -> Iterator[Scene]:
    """A scene in ``folder`` with ``workers`` workers; ``settings`` are variables of their environment."""
    with ExitStack() as stack:
        make = stack.enter_context(running_servers(account))
        home = _home(account)
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        desk = stack.enter_context(running_desk(folder / "desk", MOST_HOSTS))
        for host in desk.hosts.values():
            host.machine.programs[WINDOWS_PROGRAM] = ledger_program("the password is {DB}")
        secrets_of_workers = {"DB_PASSWORD": SECRET, PASSWORD_VARIABLE: PASSWORD}
        site = stack.enter_context(running_site(folder, **secrets_of_workers, **settings))
        client = stack.enter_context(Client(site.redis.url(0), site.redis.url(1), operator="ana"))
        sshd, proxy = make(), make()
        relay = stack.enter_context(_relay(sshd, desk))
        scene = Scene(site=site, client=client, sshd=sshd, proxy=proxy, desk=desk, relay=relay, home=home)
        for _ in range(workers):
            scene.start_worker()
        yield scene


def _relay(sshd: Sshd, desk: Desk) -> PortProxy:
    targets = [(address, desk.server.port) for address in desk.addresses.values()]
    targets += [(web_address(number), sshd.port) for number in range(1, MOST_HOSTS + 1)]
    return PortProxy.at_free_ports("127.0.0.1", targets)


@contextmanager
def short_disk(scene: Scene, host: str) -> Iterator[Path]:
    """Give a host a disk of its own for its work directory, small enough to be filled; only as root."""
    place = scene.work_directory(host)
    place.mkdir(exist_ok=True)
    owner = scene.home.stat()
    options = f"size={_DISK},mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "longshore-chaos", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _home(account: Account) -> Path:
    home = account.home / f"chaos-{secrets.token_hex(4)}"
    ledgers = home / "ledgers"
    ledgers.mkdir(parents=True)
    if is_root():
        owner = account.home.stat()
        for path in (home, ledgers):
            os.chown(path, owner.st_uid, owner.st_gid)
    return home
