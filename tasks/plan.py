"""The plan of a run: what was decided before anything was sent."""

from typing import Literal

from pydantic import Field

from config.application import Application
from config.fleet import SecretReference
from config.targets import HostTarget
from config.values import CountOrPercent, Name, Value
from config.winrm_warnings import target_warnings

RunKind = Literal["verification", "deployment"]


class Plan(Value):
    """Everything that is decided about a run before it starts; frozen into its record.

    Attributes:
        application: for a deployment, the application as loaded, its templates not yet filled in.
        parameters: values in clear for parameters that are no secrets.
        secrets: references for those that are.
        batches: names of hosts, batch by batch; each host stands in exactly one.
        hosts: every host of the batches, by name.
        steps: names of the application's steps, in order.
        max_failed: more failed hosts than this, over the whole run, stop it.
    """

    kind: RunKind
    application: Application | None = None
    parameters: dict[str, str] = Field(default_factory=dict)
    secrets: dict[str, SecretReference] = Field(default_factory=dict)
    batches: tuple[tuple[Name, ...], ...]
    hosts: dict[Name, HostTarget]
    steps: tuple[str, ...] = ()
    max_failed: CountOrPercent = 0

    @property
    def title(self) -> str:
        """The run as people read it: ``shop 1.4`` or ``verification``."""
        if self.application is None:
            return "verification"
        version = self.parameters.get("version")
        return f"{self.application.application} {version}" if version else self.application.application

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people are told of hosts that go without a check of who they are, or without encryption."""
        return target_warnings(self.hosts[name] for names in self.batches for name in names)
