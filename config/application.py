"""The application: parameters, ordered actions, and the rollout policy."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from config.fleet import Become, SecretReference
from config.values import BatchSize, CountOrPercent, Name, Seconds, Text, Value, Words

ParameterName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
    Words(expected="a name of letters, digits and _ that doesn't start with a digit"),
]
VariableName = Annotated[
    str,
    # Names with two underscores in front are the host script's own.
    Field(pattern=r"^(_?[A-Za-z][A-Za-z0-9_]*|_[0-9][A-Za-z0-9_]*|_)$"),
    Words(expected="a name of letters, digits and _ that starts with no digit and not with two _"),
]
Status = Annotated[int, Field(ge=100, le=599, strict=True), Words(expected="an HTTP status from 100 to 599")]
ACTION_KINDS = ("run", "fetch", "upload", "unpack", "link", "service", "check", "iis")
Shell = Literal["powershell", "cmd"]
CHECK_KINDS = ("http", "tcp", "command")


def _found(value: Value, kinds: tuple[str, ...]) -> str:
    found = [kind for kind in kinds if getattr(value, kind) is not None]
    return ", found " + (" and ".join(found) or "none of them")


def _form_of_become(value: Any) -> str:
    return "flag" if value is False else "user"


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

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        ways = [
            way
            for way, there in (
                ("required", self.required),
                ("default", self.default is not None),
                ("secret", self.secret is not None),
            )
            if there
        ]
        if len(ways) != 1:
            found = " and ".join(ways) or "none of them"
            raise ValueError(f"expected exactly one of required: true, default and secret, found {found}")
        return self


class Fetch(Value):
    """The host pulls a file by itself; the checksum is checked before it is put in place."""

    url: Text
    to: Text
    sha256: Text
    mode: Text = "0644"


class Upload(Value):
    """A file or folder from the worker's machine.

    Attributes:
        source: path on the worker's machine (``from`` in the file).
        sha256: expected checksum of a file.
    """

    source: Text = Field(alias="from")
    to: Text
    sha256: Text | None = None
    mode: Text | None = None


class Unpack(Value):
    """A tar (plain, gz, xz, bz2, zst) or zip archive that is on the host, into a folder."""

    archive: Text
    to: Text


class Link(Value):
    """A symbolic link, switched atomically."""

    link: Text = Field(alias="from")
    to: Text


class Service(Value):
    """A systemd unit; or, with ``command``, any other service.

    Attributes:
        command: run with the state's verb as its argument, in place of systemctl.
    """

    name: Text
    state: Literal["started", "stopped", "restarted", "reloaded", "enabled", "disabled"]
    command: Text | None = None


class Check(Value):
    """Something that must come true within a time; exactly one of http, tcp and command.

    Attributes:
        http: URL that must answer with ``status``.
        tcp: ``host:port`` that must accept a connection.
        command: shell command that must succeed.
        within: seconds until it counts as failed.
        every: seconds between two tries.
    """

    http: Text | None = None
    tcp: Text | None = None
    command: Text | None = None
    status: Status = 200
    within: Seconds = 30.0
    every: Seconds = 1.0

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(kind is not None for kind in (self.http, self.tcp, self.command)) != 1:
            raise ValueError("expected exactly one of http, tcp and command" + _found(self, CHECK_KINDS))
        return self


class Iis(Value):
    """A site or an application pool of IIS on a Windows host; exactly one of the two.

    Attributes:
        state: ``recycled`` is for an application pool, ``restarted`` for a site.
    """

    site: Text | None = None
    app_pool: Text | None = None
    state: Literal["started", "stopped", "restarted", "recycled"]

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.site is None) == (self.app_pool is None):
            raise ValueError("expected exactly one of site and app_pool")
        wrong = {"recycled": self.site, "restarted": self.app_pool}.get(self.state)
        if wrong is not None:
            raise ValueError("expected recycled at an app_pool, restarted at a site")
        return self


class Action(Value):
    """One thing that is done on every host; exactly one kind is set.

    Attributes:
        name: what people read; made from the kind when absent.
        directory: where it runs (``in`` in the file).
        shell: what carries out its commands on Windows, PowerShell unless told otherwise; on Linux it is sh.
        timeout: seconds until its process group is ended.
        when: a shell test; the step is skipped where it fails.
        become: another user than the cluster's; False means the login's own user.
        keep_going: its failure doesn't end the host's deployment.
        idempotent: it may run again when its end is unknown.
    """

    run: Text | None = None
    fetch: Fetch | None = None
    upload: Upload | None = None
    unpack: Unpack | None = None
    link: Link | None = None
    service: Service | None = None
    check: Check | None = None
    iis: Iis | None = None
    shell: Shell | None = None
    name: Text | None = None
    directory: Text | None = Field(default=None, alias="in")
    env: dict[VariableName, str] = Field(default_factory=dict)
    timeout: Seconds = 600.0
    become: (
        Annotated[
            Annotated[Become, Tag("user")] | Annotated[bool, Tag("flag")],
            Discriminator(_form_of_become),
            Words(expected="true, false or the name of a user"),
        ]
        | None
    ) = None
    when: Text | None = None
    keep_going: bool = False
    idempotent: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in ACTION_KINDS) != 1:
            raise ValueError(
                f"expected exactly one of {', '.join(ACTION_KINDS)}" + _found(self, ACTION_KINDS)
            )
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

    batches: Annotated[
        tuple[BatchSize, ...],
        Field(min_length=1),
        Words(expected="a list of one or more sizes, such as [1, 25%, 100%]"),
    ] = ("100%",)
    max_failed: CountOrPercent = 0


class Application(Value):
    """Everything that is declared in an application file."""

    application: Name
    parameters: dict[ParameterName, Parameter] = Field(default_factory=dict)
    actions: Annotated[
        tuple[Action, ...], Field(min_length=1), Words(expected="a list of one or more actions")
    ]
    rollout: Rollout = Rollout()
