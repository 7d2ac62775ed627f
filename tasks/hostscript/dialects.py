"""One face for the host scripts of all operating systems."""

from collections.abc import Mapping
from typing import Protocol

from config.values import FolderFormat
from tasks.hostscript import driver
from tasks.hostscript.driver import HostRun, Invocation


class HostScript(Protocol):
    """A compiled script, and how its driver is called on a host; the modes are those of ``driver``."""

    @property
    def folder_format(self) -> FolderFormat:
        """What an uploaded folder is packed as."""

    @property
    def resumable_uploads(self) -> bool:
        """Whether the host says ``have`` before it takes an upload's content."""

    def run(self, where: HostRun, environment: Mapping[str, str], *, offset: int = 0) -> Invocation:
        """Begin the run if it never began, and follow its log from byte ``offset`` on."""

    def resume(
        self, where: HostRun, environment: Mapping[str, str], *, first_step: int, offset: int = 0
    ) -> Invocation:
        """Go on at ``first_step`` with a run whose runner is gone, and follow."""

    def attach(self, where: HostRun, *, offset: int = 0) -> Invocation:
        """Follow the run's log; begins nothing."""

    def probe(self, where: HostRun) -> Invocation:
        """Ask how the run stands; changes nothing."""

    def stop(self, where: HostRun, *, grace: int) -> Invocation:
        """End the run's processes, until they are confirmed gone."""

    def put(self, where: HostRun, name: str, *, size: int, sha256: str) -> Invocation:
        """Receive an upload, whose content follows."""


class PosixScript:
    """The host script of Linux hosts."""

    folder_format: FolderFormat = "tar"
    resumable_uploads = False

    def __init__(self, script: bytes) -> None:
        """Take what ``compile_script`` made."""
        self._script = script

    def run(self, where: HostRun, environment: Mapping[str, str], *, offset: int = 0) -> Invocation:
        """As ``driver.run``."""
        return driver.run(where, self._script, environment, offset=offset)

    def resume(
        self, where: HostRun, environment: Mapping[str, str], *, first_step: int, offset: int = 0
    ) -> Invocation:
        """As ``driver.resume``."""
        return driver.resume(where, self._script, environment, first_step=first_step, offset=offset)

    def attach(self, where: HostRun, *, offset: int = 0) -> Invocation:
        """As ``driver.attach``."""
        return driver.attach(where, offset=offset)

    def probe(self, where: HostRun) -> Invocation:
        """As ``driver.probe``."""
        return driver.probe(where)

    def stop(self, where: HostRun, *, grace: int) -> Invocation:
        """As ``driver.stop``."""
        return driver.stop(where, grace=grace)

    def put(self, where: HostRun, name: str, *, size: int, sha256: str) -> Invocation:
        """As ``driver.put``."""
        return driver.put(where, name, size=size, sha256=sha256)
