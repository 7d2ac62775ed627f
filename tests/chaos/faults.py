"""The faults: each does its harm at once, and mends what a machine room would mend by itself."""

import ast
import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import psutil
import redis

from config.targets import RouteKind
from tests.chaos.scene import MOST_HOSTS, Scene, short_disk
from tests.support.ledgers import WINDOWS_PROGRAM
from tests.support.yaml_files import web_address

QUEUE = "longshore.official"
POWER_LOSS_SECONDS = 1.0
POSTPONED_MS = 2000
_OTHER_BOOT = "00000000-0000-4000-8000-000000000000"
_PUSH = re.compile(rb'"LPUSH" "(longshore\.[^"]+)" ("(?:[^"\\]|\\.)*")')

Fault = Callable[[Scene, Random], str]
"""Does harm, and tells what it came to."""


def kill_worker(scene: Scene, random: Random) -> str:
    """SIGKILL of one worker, which is started again, as a supervisor would."""
    worker = random.choice(scene.crew)
    scene.crew.remove(worker)
    scene.site.end_worker(worker, number=signal.SIGKILL)
    scene.start_worker()
    return f"killed {scene.name_of(worker)}"


def kill_all_workers(scene: Scene, _random: Random) -> str:
    """SIGKILL of all workers at once."""
    gone, scene.crew = scene.crew, []
    for worker in gone:
        scene.site.workers[worker].kill()
    for worker in gone:
        scene.site.workers[worker].wait()
    for _ in gone:
        scene.start_worker()
    return f"killed {', '.join(map(scene.name_of, gone))}"


def end_worker(scene: Scene, random: Random) -> str:
    """SIGTERM of one worker: a clean stop."""
    worker = random.choice(scene.crew)
    scene.crew.remove(worker)
    scene.site.end_worker(worker)
    scene.start_worker()
    return f"ended {scene.name_of(worker)}"


def stop_worker(scene: Scene, random: Random) -> str:
    """SIGSTOP of one worker past its lease, then SIGCONT."""
    worker = random.choice(scene.crew)
    process, name = scene.site.workers[worker], scene.name_of(worker)
    process.send_signal(signal.SIGSTOP)
    try:
        passed = scene.now() + float(scene.site.environment["LONGSHORE_LEASE_SECONDS"])
        scene.wait_for(lambda: scene.now() > passed, "its lease to pass")
        scene.wait_for(lambda: name not in scene.holders().values(), f"others to have the hosts of {name}")
    finally:
        process.send_signal(signal.SIGCONT)
    return f"stopped {name} past its lease"


def shift_clock(scene: Scene, random: Random) -> str:
    """SIGKILL of one worker; the one that is started in its place has a clock that is 10 minutes off."""
    worker = random.choice(scene.crew)
    scene.crew.remove(worker)
    scene.site.end_worker(worker, number=signal.SIGKILL)
    shift = random.choice([-600.0, 600.0])
    return f"{scene.name_of(scene.start_worker(clock=shift))} has a clock {shift:+.0f} s off"


def kill_redis(scene: Scene, random: Random) -> str:
    """SIGKILL of Redis, and its start with its append-only file after a while."""
    away = random.uniform(0.0, 2.0)
    _kill_redis(scene)
    time.sleep(away)  # the length of the outage is what is tried
    scene.site.redis.start()
    return f"Redis away for {away:.1f} s"


def lose_power(scene: Scene, random: Random) -> str:
    """SIGKILL of Redis; its append-only file loses the last second before it is started again."""
    file = append_only_file(scene.site.folder / "redis")
    # In this order: what comes between the two counts as lost, and may have been kept.
    since, size = scene.now(), file.stat().st_size
    seconds = random.uniform(0.3, POWER_LOSS_SECONDS)
    scene.wait_for(lambda: scene.now() > since + seconds, "what is going to be lost")
    _kill_redis(scene)
    # Anywhere within a command: what a disk has kept knows nothing of commands. Redis cuts the rest itself.
    cut = file.stat().st_size - size
    os.truncate(file, size + min(cut, random.randrange(3)))
    scene.site.redis.start()
    # While the disk is busy Redis answers first and writes up to two seconds later (everysec): so much before
    # the look at the file may be lost too. The clock of what comes next is the same one.
    scene.lost.append((since * 1000 - POSTPONED_MS, scene.now() * 1000))
    return f"the last {seconds:.1f} s of the append-only file lost, {cut} bytes"


def _kill_redis(scene: Scene) -> None:
    pid = scene.site.redis.pid
    assert pid is not None
    psutil.Process(pid).kill()
    scene.site.redis.stop()


def append_only_file(folder: Path) -> Path:
    """Where a Redis writes what happens: since version 7 the newest of its increments."""
    increments = sorted((folder / "appendonlydir").glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)
    return increments[-1] if increments else folder / "appendonly.aof"


def kill_proxy(scene: Scene, random: Random) -> str:
    """SIGKILL of the proxy, and its start after a while."""
    return _away("the proxy", scene.proxy.kill, scene.proxy.start, random)


def kill_relay(scene: Scene, random: Random) -> str:
    """The Windows proxy goes down, with all connections through it, and comes back after a while."""
    return _away("the relay", scene.relay.cut, scene.relay.listen, random)


def _away(what: str, down: Callable[[], None], up: Callable[[], None], random: Random) -> str:
    seconds = random.uniform(0.2, 3.0)
    down()
    time.sleep(seconds)  # the length of the outage is what is tried
    up()
    return f"{what} away for {seconds:.1f} s"


def cut_connections(scene: Scene, _random: Random) -> str:
    """Every connection to a host is cut; the hosts go on."""
    scene.desk.server.drop()
    for number in range(1, MOST_HOSTS + 1):
        # By address: what has the connection ends, and what a session has started doesn't.
        scene.sshd.kill_sessions(web_address(number))
    return "all connections to hosts cut"


def drop_message(scene: Scene, _random: Random) -> str:
    """A message that is taken from its queue and gets nowhere."""
    taken = scene.site.broker.brpop([QUEUE], timeout=2)
    return f"a message of {len(taken[1])} bytes dropped" if taken else "no message came to be dropped"


def reboot_host(scene: Scene, random: Random) -> str:
    """A host restarts in mid-step."""
    for _ in range(100):
        at_work = [*_runners(scene), *_desks_at_work(scene)]
        if at_work:
            break
        time.sleep(0.02)
    else:
        return "no host was at work"
    chosen = random.choice(at_work)
    if isinstance(chosen, str):
        scene.desk.hosts[chosen].reboot()
        scene.desk.server.drop(scene.desk.addresses[chosen])
        return f"{chosen} restarted"
    return f"{_reboot_linux(scene, chosen)} restarted"


def _reboot_linux(scene: Scene, go: Path) -> str:
    """Kill a host's processes, and give its kernel another boot id; its name."""
    host = go.parents[2].name
    pid = int(go.read_text().split()[0])
    members = _session(pid)
    # Stopped first: with the other boot id in its files the run counts as gone, and it has to be.
    for each in (signal.SIGSTOP, signal.SIGKILL):
        for member in members:
            with suppress(ProcessLookupError):
                os.kill(member, each)
        if each is signal.SIGSTOP:
            members = _session(pid)
            for path in (go, *go.parents[2].glob("active.*")):
                path.write_text(_with_other_boot(path.read_text()))
    scene.sshd.kill_sessions(web_address(int(host.removeprefix("web-"))))
    return host


def _desks_at_work(scene: Scene) -> list[str]:
    return [
        name
        for name, host in scene.desk.hosts.items()
        if any(each.command_line.startswith(WINDOWS_PROGRAM) for each in host.machine.processes.running())
    ]


def _runners(scene: Scene) -> Iterator[Path]:
    """The newest claim of each run that is at work on a host."""
    for folder in scene.home.glob("web-*/runs/*"):
        claims = sorted(folder.glob("go.*"), key=lambda path: int(path.suffix[1:]))
        with suppress(OSError, ValueError, IndexError):
            pid, tick, boot = claims[-1].read_text().split()[:3]
            if not (folder / "finish").exists() and _alive(pid, tick, boot):
                yield claims[-1]


def _alive(pid: str, tick: str, boot: str) -> bool:
    """Whether it is that very process: its number may be another's by now."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    here = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return here == boot and stat[0] != "Z" and stat[19] == tick


def _session(leader: int) -> list[int]:
    found = []
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                found.append(pid)
    return found


def _with_other_boot(claim: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", _OTHER_BOOT, claim)


def cancel_and_kill(scene: Scene, random: Random) -> str:
    """A run is cancelled, and a worker is killed right before or after that."""
    run = scene.submitted[-1]
    first = random.choice(["cancelled", "killed"])
    if first == "cancelled":
        scene.client.steer.cancel(run.id)
    said = kill_worker(scene, random)
    if first == "killed":
        with contextlib.suppress(Exception):
            scene.client.steer.cancel(run.id)
    return f"run {run.id} cancelled, {said}, first {first}"


class Echo:
    """Delivers every message a second time, whoever sends it: it listens to all that reaches the broker."""

    def __init__(self, scene: Scene) -> None:
        self._url = scene.site.redis.url(0)
        self._listener = redis.Redis.from_url(self._url, socket_timeout=0.5)
        self._sender = redis.Redis.from_url(self._url, client_name="echo")
        self._mine = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.doubled = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Double what is sent for the time of the block."""
        self._sender.ping()
        self._mine = next(each["addr"] for each in self._sender.client_list() if each["name"] == "echo")
        connection = self._listener.connection_pool.get_connection()
        connection.send_command("MONITOR")
        assert connection.read_response() == b"OK"
        self._connection = connection
        self._thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            self._thread.join()
            connection.disconnect()
            self._sender.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                line = self._connection.read_response(disconnect_on_error=False)
            except redis.TimeoutError:
                continue
            except redis.ConnectionError:
                return
            found = _PUSH.search(line)
            if found and self._mine.encode() not in line[: found.start()]:
                # MONITOR quotes as Python does in its literals of bytes.
                self._sender.lpush(found[1], ast.literal_eval("b" + found[2].decode()))
                self.doubled += 1


@contextmanager
def full_disk(scene: Scene, host: str) -> Iterator[Callable[[], None]]:
    """A host with a small disk; what it gives fills the disk."""
    if host in scene.desk.hosts:
        trouble = scene.desk.hosts[host].machine.trouble
        try:
            yield partial(setattr, trouble, "disk_full", True)
        finally:
            trouble.disk_full = False
        return
    with short_disk(scene, host) as place:

        def fill() -> None:
            with suppress(OSError), (place / "filler").open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)

        yield fill


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of fault for random schedules.

    Attributes:
        route: the route that it takes something from, if it does.
        may_end: how runs may end besides well, since it takes something from them that nobody can give back.
    """

    name: str
    fault: Fault
    route: RouteKind | None = None
    may_end: tuple[str, ...] = ()


KINDS = (
    Kind(name="worker killed", fault=kill_worker),
    Kind(name="all workers killed", fault=kill_all_workers),
    Kind(name="worker ended", fault=end_worker),
    Kind(name="worker stopped past its lease", fault=stop_worker),
    Kind(name="worker with a wrong clock", fault=shift_clock),
    Kind(name="Redis killed", fault=kill_redis),
    Kind(name="power loss", fault=lose_power),
    Kind(name="proxy killed", fault=kill_proxy, route="jump"),
    Kind(name="relay killed", fault=kill_relay, route="forward"),
    Kind(name="connections cut", fault=cut_connections),
    Kind(name="message dropped", fault=drop_message),
    Kind(name="host restarted", fault=reboot_host, may_end=("needs_attention",)),
    Kind(name="cancelled, worker killed", fault=cancel_and_kill, may_end=("cancelled",)),
)
