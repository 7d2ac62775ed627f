"""The fleet: pools, credentials by reference, proxies, clusters and hosts."""

from typing import Literal, Self

from pydantic import Field, model_validator

from config.values import Name, Port, Value

OperatingSystem = Literal["linux", "windows"]


class SecretReference(Value):
    """Where a worker finds a secret at the moment of use; never the secret itself.

    Attributes:
        env: name of a variable in the worker's environment.
        file: path of a file on the worker's machine; one trailing newline is dropped.
    """

    env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    file: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("expected exactly one of env and file")
        return self


class Credential(Value):
    """How to log in: a user with a key, a password, or both.

    Attributes:
        user: login name on the host.
        key_file: private key on the worker's machine; ``~`` is the worker's home.
        passphrase: reference to the key's passphrase.
        password: reference to a password.
    """

    user: str = Field(min_length=1)
    key_file: str | None = None
    passphrase: SecretReference | None = None
    password: SecretReference | None = None


class Pool(Value):
    """Where deployment physically executes: a set of workers behind one queue."""

    kind: Literal["official", "self-hosted"]


class Proxy(Value):
    """A host with a public address that gives access to hosts without one.

    Attributes:
        proxy: another proxy through which this one is reached.
        host_key: accepted public keys, each ``type base64``, as in known_hosts.
        max_channels: hosts reached at once over one connection to this proxy.
    """

    os: OperatingSystem
    address: str
    port: Port | None = None
    credential: Name | None = None
    proxy: Name | None = None
    host_key: tuple[str, ...] = ()
    max_channels: int = Field(default=64, ge=1)


class Become(Value):
    """Run as another user through ``sudo -n``."""

    user: str = "root"


class Host(Value):
    """A target. What it leaves open comes from its cluster.

    Attributes:
        forward_port: the port on a Windows proxy that is forwarded to this host.
    """

    address: str
    os: OperatingSystem | None = None
    port: Port | None = None
    credential: Name | None = None
    proxy: Name | None = None
    host_key: tuple[str, ...] = ()
    forward_port: Port | None = None
    tags: dict[str, str] = {}


class Cluster(Value):
    """A named group of hosts with one OS, one pool, and default credential and route.

    Attributes:
        work_directory: where run directories go on the host; relative to the login's home.
    """

    os: OperatingSystem
    pool: Name
    credential: Name | None = None
    proxy: Name | None = None
    port: Port | None = None
    become: Become | None = None
    work_directory: str = ".longshore"
    hosts: dict[Name, Host]


class Fleet(Value):
    """Everything that is declared in a fleet file."""

    pools: dict[Name, Pool]
    credentials: dict[Name, Credential] = {}
    proxies: dict[Name, Proxy] = {}
    clusters: dict[Name, Cluster] = {}
