"""The fleet: pools, credentials by reference, proxies, clusters and hosts."""

from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from config.values import Address, Name, Port, Text, Value, Words

OperatingSystem = Literal["linux", "windows"]
_LAST_PORT = 65535


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


HostKeys = Annotated[
    tuple[
        Annotated[
            str,
            Field(pattern=r"^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}$"),
            Words(expected='a public key as "ssh-ed25519 AAAA...", as in known_hosts without the host name'),
        ],
        ...,
    ],
    BeforeValidator(_several),
    Words(expected='a public key as "ssh-ed25519 AAAA...", or a list of them'),
]


def _network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise ValueError("expected an IP address or a network such as 198.51.100.0/24") from None
    return value


Network = Annotated[
    str, AfterValidator(_network), Words(expected="an IP address or a network such as 198.51.100.0/24")
]


class SecretReference(Value):
    """Where a worker finds a secret at the moment of use; never the secret itself.

    Attributes:
        env: name of a variable in the worker's environment.
        file: path of a file on the worker's machine; one trailing newline is dropped.
    """

    env: (
        Annotated[
            str,
            Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
            Words(expected="the name of an environment variable"),
        ]
        | None
    ) = None
    file: Text | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("expected exactly one of env and file")
        return self


class Credential(Value):
    """How to log in: a user with a key, a password, or both; with neither where a Kerberos ticket is enough.

    Attributes:
        user: login name on the host.
        key_file: private key on the worker's machine; ``~`` is the worker's home.
        passphrase: reference to the key's passphrase.
        password: reference to a password.
        certificate_file: the user's certificate for WinRM, PEM on the worker's machine; ``key_file`` is
            its key.
    """

    user: Text
    key_file: Text | None = None
    passphrase: SecretReference | None = None
    password: SecretReference | None = None
    certificate_file: Text | None = None

    @model_validator(mode="after")
    def _key_for_passphrase(self) -> Self:
        if self.passphrase is not None and self.key_file is None:
            raise ValueError("expected a key_file that the passphrase opens, found none")
        return self


Addresses = Annotated[
    tuple[Network, ...], Words(expected="a list of IP addresses and networks such as [198.51.100.7]")
]


class Pool(Value):
    """Where deployment physically executes: a set of workers behind one queue.

    Attributes:
        addresses: where its workers' connections come from, as hosts and proxies see them; used for
            firewall rules alone.
    """

    kind: Literal["official", "self-hosted"]
    addresses: Addresses = ()


def _port_range(value: str) -> str:
    first, _, last = value.partition("-")
    if not 1 <= int(first) <= int(last) <= _LAST_PORT:
        raise ValueError("expected two ports, the lower first, such as 15000-15999")
    return value


PortRange = Annotated[
    str,
    Field(pattern=r"^[0-9]{1,5}-[0-9]{1,5}$"),
    AfterValidator(_port_range),
    Words(expected="two ports, the lower first, such as 15000-15999"),
]


class Proxy(Value):
    """A host with a public address that gives access to hosts without one.

    Attributes:
        proxy: another proxy through which this one is reached.
        host_key: accepted public keys, each ``type base64``, as in known_hosts.
        max_channels: hosts reached at once over one connection to this proxy.
        addresses: where its connections to hosts come from, when that is not ``address``; used for
            firewall rules alone.
        ports: of a Windows proxy, those that it forwards to hosts, first and last.
    """

    os: OperatingSystem
    address: Address
    port: Port | None = None
    credential: Name | None = None
    proxy: Name | None = None
    host_key: HostKeys = ()
    max_channels: Annotated[int, Field(ge=1, strict=True), Words(expected="a whole number from 1 up")] = 64
    addresses: Addresses = ()
    ports: PortRange | None = None


class Become(Value):
    """Run as another user through ``sudo -n``; ``true`` in a file is root, a name is that user."""

    user: Text = "root"

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        if value is True:
            return {}
        return {"user": value} if isinstance(value, str) else value


Fingerprint = Annotated[
    str,
    BeforeValidator(lambda value: value.replace(":", "").lower() if isinstance(value, str) else value),
    Field(pattern=r"^[0-9a-f]{64}$"),
    Words(expected="a certificate's SHA-256 fingerprint, 64 hexadecimal digits"),
]


class WinRM(Value):
    """How WinRM is spoken with a Windows host.

    Attributes:
        scheme: https goes to port 5986 by default, http to 5985.
        transport: how the login is proved.
        ca_file: certificates on the worker's machine that the host's is checked against; the system's
            when absent.
        certificate_name: the name that the certificate must be for, when it isn't the host's address.
        fingerprint: SHA-256 of the certificate; it is accepted for this alone, and no other is.
        ignore_certificate: take any certificate; at a host only, and every run warns of it.
        insecure: speak http without message encryption; at a host only, and every run warns of it.
        detached: the host script outlives the WinRM shell, started through WMI; false where WMI is locked.
    """

    scheme: Literal["https", "http"] = "https"
    transport: Literal["ntlm", "kerberos", "certificate", "basic", "credssp"] = "ntlm"
    ca_file: Text | None = None
    certificate_name: Address | None = None
    fingerprint: Fingerprint | None = None
    ignore_certificate: bool = False
    insecure: bool = False
    detached: bool = True


class Host(Value):
    """A target. What it leaves open comes from its cluster; in a file, an address alone will do.

    Attributes:
        proxy: another proxy than the cluster's; None that was set, not left out, means none at all.
        forward_port: the port on a Windows proxy that is forwarded to this host.
    """

    address: Address
    os: OperatingSystem | None = None
    port: Port | None = None
    credential: Name | None = None
    proxy: Name | None = None
    host_key: HostKeys = ()
    forward_port: Port | None = None
    winrm: WinRM | None = None
    work_directory: Text | None = None
    tags: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"address": value} if isinstance(value, str) else value


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
    become: Annotated[Become, Words(expected="true, false or the name of a user")] | None = None
    winrm: WinRM | None = None
    work_directory: Text = ".longshore"
    hosts: Annotated[
        dict[
            Name,
            Annotated[Host, Words(expected="an address, or a mapping with an address and what is special")],
        ],
        Words(expected="a mapping from host names to addresses or hosts"),
    ]

    @model_validator(mode="before")
    @classmethod
    def _no_become(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("become") is False:
            return {**value, "become": None}
        return value


class Fleet(Value):
    """Everything that is declared in a fleet file."""

    pools: dict[Name, Pool]
    credentials: dict[Name, Credential] = Field(default_factory=dict)
    proxies: dict[Name, Proxy] = Field(default_factory=dict)
    clusters: dict[Name, Cluster] = Field(default_factory=dict)
