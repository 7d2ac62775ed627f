"""From hosts as an importer found them to the plain data of a fleet."""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import chain, count
from typing import Any

from pydantic import Field

from config.fleet import OperatingSystem
from config.importing.imported import Imported, NoHostsError, Note
from config.importing.ssh_options import Jump
from config.values import Value, is_address

POOL = "official"
DEFAULT_KEY = "~/.ssh/id_ed25519"
_LONGEST_NAME = 128
_LONGEST_NOTE = 1000
_HIGHEST_PORT = 65535


class FoundHost(Value):
    """One host as an importer found it.

    Attributes:
        line: where it stands in its file.
        group: what its cluster is called.
        password: whether its login has a password, which is not carried over itself.
        jumps: hosts on the way to it, nearest to the client first.
        become: the user as whom commands run; None when that is the login's.
        winrm: as a fleet has it; empty for its defaults.
    """

    name: str
    line: int
    group: str
    address: str
    os: OperatingSystem = "linux"
    port: int | None = None
    user: str | None = None
    key_file: str | None = None
    password: bool = False
    jumps: tuple[Jump, ...] = ()
    become: str | None = None
    winrm: dict[str, Any] = Field(default_factory=dict)


class Builder:
    """Builds one fleet, and gathers notes on what it can't carry."""

    def __init__(self, file: str, default_user: str) -> None:
        self._file = file
        self._default_user = default_user
        self._notes: dict[tuple[int | None, str], None] = {}
        self._taken: set[str] = set()
        self._credentials: dict[tuple[str | None, str | None, bool], str] = {}
        self._tickets: dict[str | None, str] = {}
        self._credential_values: dict[str, Any] = {}
        self._proxies: dict[tuple[Jump, str | None], str] = {}
        self._proxy_values: dict[str, Any] = {}

    def note(self, line: int | None, text: str) -> None:
        """Note something that is not carried over."""
        half = _LONGEST_NOTE // 2
        shown = text if len(text) <= _LONGEST_NOTE else f"{text[:half]}...{text[-half:]}"
        self._notes[line, shown] = None

    def build(self, hosts: Iterable[FoundHost]) -> Imported:
        """The fleet of these hosts.

        Raises:
            NoHostsError: there is none that a fleet can have.
        """
        named = [(self._host_name(host), host) for host in hosts if self._usable(host)]
        groups: dict[tuple[str, str], list[tuple[str, FoundHost]]] = {}
        for name, host in named:
            groups.setdefault((host.group, host.os), []).append((name, host))
        names = {key: self._cluster_name(*key, members[0][1].line) for key, members in groups.items()}
        clusters = {names[key]: self._cluster(members) for key, members in groups.items()}
        fleet = {
            "pools": {POOL: {"kind": "official"}},
            "credentials": self._credential_values,
            "proxies": self._proxy_values,
            "clusters": clusters,
        }
        notes = sorted(self._notes, key=lambda note: (note[0] or 0, note[1]))
        left_out = tuple(Note(file=self._file, line=line, text=text) for line, text in notes)
        if not clusters:
            raise NoHostsError(self._file, left_out)
        return Imported(fleet={key: value for key, value in fleet.items() if value}, left_out=left_out)

    def _usable(self, host: FoundHost) -> bool:
        unusable = [jump.host for jump in host.jumps if not is_address(jump.host)]
        if not is_address(host.address):
            self.note(host.line, f'host "{host.name}": its address "{host.address}" is neither IP nor name')
        elif unusable:
            self.note(host.line, f'host "{host.name}": the way through "{unusable[0]}" is not understood')
        elif any(port is not None and not 1 <= port <= _HIGHEST_PORT for port in _ports(host)):
            self.note(host.line, f'host "{host.name}": a port is not between 1 and {_HIGHEST_PORT}')
        else:
            return True
        return False

    def _host_name(self, host: FoundHost) -> str:
        name = self._name(host.name, "")
        if name != host.name:
            self.note(host.line, f'host "{host.name}" is called "{name}" here')
        return name

    def _cluster_name(self, group: str, os: str, line: int) -> str:
        name = self._name(group, f"-{os}" if group in self._taken and os == "windows" else "-hosts")
        if name != group:
            self.note(line, f'group "{group}" is called "{name}" here, as names are unique in a fleet')
        return name

    def _name(self, wanted: str, suffix: str) -> str:
        name = _free_name(wanted, self._taken, suffix)
        self._taken.add(name)
        return name

    def _cluster(self, members: list[tuple[str, FoundHost]]) -> dict[str, Any]:
        values = {name: self._host_values(host) for name, host in members}
        cluster: dict[str, Any] = {"os": members[0][1].os, "pool": POOL}
        cluster["credential"] = Counter(value["credential"] for value in values.values()).most_common(1)[0][0]
        for key in ("proxy", "port"):
            shared = {value.get(key) for value in values.values()}
            if len(shared) == 1 and None not in shared:
                cluster[key] = shared.pop()
        winrm = [value.get("winrm") for value in values.values()]
        # A host that takes any certificate says so by itself.
        if winrm[0] and "ignore_certificate" not in winrm[0] and all(each == winrm[0] for each in winrm):
            cluster["winrm"] = winrm[0]
        if (become := self._become(cluster["os"], [host for _, host in members])) is not None:
            cluster["become"] = become
        cluster["hosts"] = {name: _without_defaults(value, cluster) for name, value in values.items()}
        return cluster

    def _become(self, os: str, hosts: list[FoundHost]) -> str | bool | None:
        users = {host.become for host in hosts}
        if os == "windows":
            for host in hosts:
                if host.become:
                    self.note(host.line, f'host "{host.name}": become, as there is no sudo on Windows')
            return None
        if len(users) > 1:
            line = next(host.line for host in hosts if host.become)
            self.note(
                line, "become differs between the hosts of a cluster; put them into clusters of their own"
            )
            return None
        user = users.pop()
        return True if user == "root" else user

    def _host_values(self, host: FoundHost) -> dict[str, Any]:
        values: dict[str, Any] = {"address": host.address}
        if host.winrm.get("transport") == "kerberos":
            values["credential"] = self._ticket(host.user, host.line)
        else:
            values["credential"] = self._credential(
                host.user, host.key_file, host.line, password=host.password
            )
        if host.port is not None:
            values["port"] = host.port
        if host.winrm:
            values["winrm"] = dict(host.winrm)
        proxy = None
        for jump in host.jumps:
            proxy = self._proxy(jump, proxy, host.line)
        if proxy is not None:
            values["proxy"] = proxy
        return values

    def _proxy(self, jump: Jump, behind: str | None, line: int) -> str:
        if (jump, behind) not in self._proxies:
            name = self._name(jump.alias or jump.host, "-proxy")
            values: dict[str, Any] = {"os": "linux", "address": jump.host}
            if jump.port is not None:
                values["port"] = jump.port
            values["credential"] = self._credential(jump.user, jump.key_file, line, password=False)
            if behind is not None:
                values["proxy"] = behind
            self._proxies[jump, behind] = name
            self._proxy_values[name] = values
        return self._proxies[jump, behind]

    def _credential(self, user: str | None, key_file: str | None, line: int, *, password: bool) -> str:
        key = (user, key_file, password)
        if key not in self._credentials:
            login, name = self._login(user, line)
            values: dict[str, Any] = {"user": login}
            if key_file is not None or not password:
                values["key_file"] = key_file or DEFAULT_KEY
            if key_file is None and not password:
                self.note(line, f'no key is named for "{login}"; {DEFAULT_KEY} is assumed')
            if password:
                variable = re.sub(r"[^A-Za-z0-9]", "_", f"PASSWORD_{name}").upper()
                values["password"] = {"env": variable}
                self.note(line, f'the password of "{login}"; set {variable} in the workers\' environment')
            self._credentials[key] = name
            self._credential_values[name] = values
        return self._credentials[key]

    def _ticket(self, user: str | None, line: int) -> str:
        """The credential of a user alone."""
        if user not in self._tickets:
            login, name = self._login(user, line)
            self.note(line, f'the ticket of "{login}", which the workers need: `kinit {login}`, or a keytab')
            self._tickets[user] = name
            self._credential_values[name] = {"user": login}
        return self._tickets[user]

    def _login(self, user: str | None, line: int) -> tuple[str, str]:
        """A login, and what its credential is called."""
        login = user or self._default_user
        if user is None:
            self.note(line, f'no user is named; "{login}" is assumed')
        return login, _free_name(login, self._credential_values)


def _ports(host: FoundHost) -> list[int | None]:
    return [host.port, *(jump.port for jump in host.jumps)]


def _free_name(wanted: str, taken: Collection[str], suffix: str = "") -> str:
    """A valid name that nothing else has; the suffix tells it from what has the wanted one."""
    clean = re.sub(r"[^A-Za-z0-9_.-]", "-", wanted).lstrip("_.-") or "unnamed"
    endings = chain(["", suffix], (f"{suffix}-{number}" for number in count(2)))
    names = (clean[: _LONGEST_NAME - len(ending)] + ending for ending in endings)
    return next(name for name in names if name not in taken)


def _without_defaults(values: dict[str, Any], cluster: dict[str, Any]) -> dict[str, Any] | str:
    own = {key: value for key, value in values.items() if cluster.get(key) != value}
    return str(values["address"]) if list(own) == ["address"] else own
