"""The application: parameters, ordered actions, and the rollout policy."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from config.fleet import Become, SecretReference
from config.values import CountOrPercent, Name, Seconds, Value

ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ACTION_KINDS = ("run", "fetch", "upload", "unpack", "link", "service", "check")


class Parameter(Value):
    """Something that is set at each deployment.

    Attributes:
        required: it must be given with ``--set``.
        default: its value when it isn't given.
        secret: reference that the worker resolves; never given on the command line.
    """

    required: bool = False
    default: str | None = None
    secret: SecretReference | None = None


class Fetch(Value):
    """The host pulls a file by itself; the checksum is checked before it is put in place."""

    url: str
    to: str
    sha256: str
    mode: str = "0644"


class Upload(Value):
    """A file or folder from the worker's machine.

    Attributes:
        source: path on the worker's machine (``from`` in the file).
        sha256: expected checksum of a file.
    """

    source: str = Field(alias="from")
    to: str
    sha256: str | None = None
    mode: str | None = None


class Unpack(Value):
    """A tar (plain, gz, xz, bz2, zst) or zip archive that is on the host, into a folder."""

    archive: str
    to: str


class Link(Value):
    """A symbolic link, switched atomically."""

    link: str = Field(alias="from")
    to: str


class Service(Value):
    """A systemd unit; or, with ``command``, any other service.

    Attributes:
        command: run with the state's verb as its argument, in place of systemctl.
    """

    name: str
    state: Literal["started", "stopped", "restarted", "reloaded", "enabled", "disabled"]
    command: str | None = None


class Check(Value):
    """Something that must come true within a time; exactly one of http, tcp and command."""

    http: str | None = None
    tcp: str | None = None
    command: str | None = None
    status: int = 200
    within: Seconds = 30.0
    every: Seconds = 1.0

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.http, self.tcp, self.command)) != 1:
            raise ValueError("expected exactly one of http, tcp and command")
        return self


class Action(Value):
    """One thing that is done on every host; exactly one kind is set.

    Attributes:
        name: what people read; made from the kind when absent.
        directory: where it runs (``in`` in the file).
        timeout: seconds until its process group is ended.
        when: a shell test; the step is skipped where it fails.
        keep_going: its failure doesn't end the host's deployment.
        idempotent: it may run again when its end is unknown.
    """

    run: str | None = None
    fetch: Fetch | None = None
    upload: Upload | None = None
    unpack: Unpack | None = None
    link: Link | None = None
    service: Service | None = None
    check: Check | None = None
    name: str | None = None
    directory: str | None = Field(default=None, alias="in")
    env: dict[ParameterName, str] = {}
    timeout: Seconds = 600.0
    become: Become | bool | None = None
    when: str | None = None
    keep_going: bool = False
    idempotent: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in ACTION_KINDS) != 1:
            raise ValueError("expected exactly one of " + ", ".join(ACTION_KINDS))
        return self

    @property
    def kind(self) -> str:
        """Which of the kinds this action is."""
        return next(kind for kind in ACTION_KINDS if getattr(self, kind) is not None)

    @property
    def detail(self) -> Any:
        """The kind's own value."""
        return getattr(self, self.kind)


class Rollout(Value):
    """How an application goes out.

    Attributes:
        batches: sizes by Ansible's ``serial`` rules; the last repeats.
        max_failed: more failed hosts than this, over the whole run, stop it.
    """

    batches: tuple[CountOrPercent, ...] = ("100%",)
    max_failed: CountOrPercent = 0


class Application(Value):
    """Everything that is declared in an application file."""

    application: Name
    parameters: dict[ParameterName, Parameter] = {}
    actions: tuple[Action, ...] = Field(min_length=1)
    rollout: Rollout = Rollout()
