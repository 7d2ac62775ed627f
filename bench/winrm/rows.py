"""Ten steps on each host: Longshore as its users run it, and pywinrm in threads."""

import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import contenders, files
from bench.lab import WARM_HOSTS
from bench.longshore import Services
from bench.measure import Failure, MachineShare, WindowsSample
from bench.rounds import Contender
from bench.winrm.lab import WindowsLab
from config.application import Application
from config.fleet import Fleet
from lab.winrm import PASSWORD_VARIABLE

LONGSHORE = "longshore-winrm"
SESSION = "winrm-session"
_SCRIPTS = {
    SESSION: "pywinrm, Session.run_ps per step",
    "winrm-shell": "pywinrm, 10 commands in a kept shell",
}
_PEERS = Path(contenders.__file__).parent / "peers"
_WARM, _MEASURED = "warm", "measured"
WAITS = "Receive"
"""The verb that waits for output: how often it is asked is a matter of time, not of steps."""


def contenders_of(
    lab: WindowsLab, services: Services, folder: Path, *, hosts: int, at_once: int
) -> list[Contender]:
    """Who takes part, the reference first; every host is verified before.

    Args:
        lab: has hosts for warming up beyond those that are measured.
        services: run already.
        folder: for files.
        hosts: that are measured.
        at_once: hosts in work at the same time.
    """
    lab.write_fleet(folder / f"{_WARM}.yaml", range(hosts, hosts + WARM_HOSTS))
    lab.write_fleet(folder / f"{_MEASURED}.yaml", range(hosts))
    services.start_workers()
    for name in (_WARM, _MEASURED):
        services.verify(name, limit(hosts))
    services.stop_workers()
    scripts = [
        _contender(name, title, partial(_scripted, lab, folder, name, at_once))
        for name, title in _SCRIPTS.items()
    ]
    return [*scripts, _contender(LONGSHORE, "Longshore, 10 steps", partial(_deployed, lab, services))]


def _contender(name: str, title: str, measure: Callable[[int], WindowsSample]) -> Contender:
    return Contender(name=name, title=title, most=None, rounds=100, measure=measure)


def limit(hosts: int) -> float:
    """Seconds after which something with so many hosts has failed."""
    return 60.0 + 2.0 * hosts


class Account:
    """What the lab is asked and what it costs, from its making to ``sample``."""

    def __init__(self, lab: WindowsLab) -> None:
        self._lab = lab
        self._requests, self._cpu, self._share = lab.requests(), lab.cpu(), MachineShare()

    def sample(self, *, seconds: float, client_cpu: float, own_cpu: float) -> WindowsSample:
        """The sample of the hosts that were asked anything.

        Args:
            seconds: that it took.
            client_cpu: CPU seconds of the tool.
            own_cpu: CPU seconds of everything of the bench's but the lab, the tool among it.
        """
        host_cpu = self._lab.cpu() - self._cpu
        self._share.stop()
        spent = {name: found - self._requests[name] for name, found in self._lab.requests().items()}
        asked = [each for each in spent.values() if each]
        return WindowsSample(
            hosts=len(asked),
            seconds=seconds,
            client_cpu=client_cpu,
            host_cpu=host_cpu,
            others=self._share.others(own_cpu + host_cpu),
            requests={verb: count / len(asked) for verb, count in sum(asked, Counter()).items()},
            most_requests=max(each.total() - each[WAITS] for each in asked),
        )


def _deployed(lab: WindowsLab, services: Services, count: int) -> WindowsSample:
    """One deployment with workers that are warm."""
    services.start_workers()
    try:
        services.wait(services.deploy(services.fleet(_WARM)), limit(WARM_HOSTS))
        fleet = services.fleet(_MEASURED)
        account, cpu = Account(lab), services.cpu()
        seconds = timed(services, fleet, limit(count))
        spent = [after - before for before, after in zip(cpu, services.cpu(), strict=True)]
        return account.sample(seconds=seconds, client_cpu=spent[0], own_cpu=sum(spent))
    finally:
        services.stop_workers()


def timed(services: Services, fleet: Fleet, seconds: float, application: Application | None = None) -> float:
    """Seconds of a deployment, from submitting to the ``finished`` of its record.

    Raises:
        Failure: it did not succeed, or was not over after ``seconds``.
    """
    submitted = time.time()
    finished = services.wait(services.deploy(fleet, application), seconds).finished
    if finished is None:
        raise Failure("the run has ended and doesn't say when")
    return finished - submitted


def _scripted(lab: WindowsLab, folder: Path, name: str, at_once: int, count: int) -> WindowsSample:
    """One run of a script."""
    document = {
        "addresses": lab.addresses(count), "port": lab.port, "ca_file": lab.ca_file, "user": lab.user,
        "password_variable": PASSWORD_VARIABLE, "at_once": at_once, "step": files.STEP, "steps": files.STEPS,
        "prints": files.STEP_OUTPUT,
    }  # fmt: skip
    description = files.write(folder / "peer.json", document)
    command = [sys.executable, str(_PEERS / f"{name.replace('-', '_')}.py"), str(description)]
    account = Account(lab)
    run = contenders.run_whole(command, seconds=limit(count), environment={"PYTHONDONTWRITEBYTECODE": "1"})
    seconds, cpu = contenders.own_account(run, count)
    return account.sample(seconds=seconds, client_cpu=cpu, own_cpu=run.cpu)
