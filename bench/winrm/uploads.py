"""An upload to one host: a deployment with that action alone, from submitting to the end of its record."""

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import files
from bench.longshore import Services
from bench.winrm.lab import running_lab
from bench.winrm.rows import limit, timed
from config.application import Application
from config.loading import load_application

_FLEET = "upload"


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One upload.

    Attributes:
        tls: over HTTPS, else sealed over HTTP.
        size: of the file, in bytes.
        seconds: the whole deployment.
        client_cpu: CPU seconds of the workers.
        host_cpu: CPU seconds of the lab.
    """

    tls: bool
    size: int
    seconds: float
    client_cpu: float
    host_cpu: float

    @property
    def rate(self) -> float:
        """Megabytes per second."""
        return self.size / self.seconds / 1e6


def measure(services: Services, folder: Path, size: int, *, tls: bool) -> Upload:
    """Upload a new file to a new host, to which was deployed before.

    Args:
        services: with workers.
        folder: where ``services`` looks for fleets.
        size: of the file, in bytes.
        tls: over HTTPS, else sealed over HTTP.
    """
    with TemporaryDirectory(dir=folder) as place, running_lab(Path(place, "lab"), 1, tls=tls) as lab:
        lab.write_fleet(folder / f"{_FLEET}.yaml", range(1))
        fleet = services.fleet(_FLEET)
        application = _application(Path(place), size)
        services.verify(_FLEET, limit(1))
        services.wait(services.deploy(fleet), limit(1))
        cpu, host_cpu = services.cpu()[0], lab.cpu()
        seconds = timed(services, fleet, limit(1), application)
        return Upload(
            tls=tls,
            size=size,
            seconds=seconds,
            client_cpu=services.cpu()[0] - cpu,
            host_cpu=lab.cpu() - host_cpu,
        )


def _application(place: Path, size: int) -> Application:
    source = place / "content"
    source.write_bytes(os.urandom(size))
    actions = [{"upload": {"from": str(source), "to": "C:\\content"}}]
    return load_application(files.write(place / "upload.yaml", {"application": "upload", "actions": actions}))
