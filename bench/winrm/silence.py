"""What a step costs that prints nothing: the difference between a long one and a short one."""

from dataclasses import dataclass
from pathlib import Path

from bench import files
from bench.longshore import Services
from bench.winrm.lab import WindowsLab
from bench.winrm.rows import WAITS, limit
from config.application import Application
from config.loading import load_application

_SHORT = 1


@dataclass(frozen=True, kw_only=True)
class Silence:
    """What hosts cost while they print nothing.

    Attributes:
        hosts: how many at the same time.
        seconds: for how long.
        requests: that waited for output, a host.
        client_cpu: CPU seconds of the workers for all hosts.
    """

    hosts: int
    seconds: float
    requests: float
    client_cpu: float


def measure(lab: WindowsLab, services: Services, folder: Path, *, hosts: int, seconds: int) -> Silence:
    """Deploy a step that prints nothing for a second, and one that does so for ``seconds`` more.

    Args:
        lab: with the hosts.
        services: with workers.
        folder: where ``services`` looks for fleets.
        hosts: how many, at most as many as a worker takes on at once.
        seconds: for how long.
    """
    lab.write_fleet(folder / "silent.yaml", range(hosts))
    fleet = services.fleet("silent")
    services.wait(services.deploy(fleet), limit(hosts))
    spent = []
    for length in (_SHORT, _SHORT + seconds):
        before, cpu = _waits(lab), services.cpu()[0]
        application = _application(folder, length)
        services.wait(services.deploy(fleet, application), limit(hosts) + length)
        spent.append((_waits(lab) - before, services.cpu()[0] - cpu))
    (few, little), (many, much) = spent
    return Silence(hosts=hosts, seconds=seconds, requests=(many - few) / hosts, client_cpu=much - little)


def _waits(lab: WindowsLab) -> int:
    return sum(counts[WAITS] for counts in lab.requests().values())


def _application(folder: Path, seconds: int) -> Application:
    actions = [{"run": f"Start-Sleep -Seconds {seconds}"}]
    document = {"application": "silence", "actions": actions, "rollout": {"batches": ["100%"]}}
    return load_application(files.write(folder / "silence.yaml", document))
