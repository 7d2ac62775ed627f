"""What must hold between a host's WinRM settings and its credential, on a fleet's plain data."""

from collections.abc import Iterator
from typing import Any

from config.plain import mapping, text
from config.problems import Finding, Path, listed

_BY_NAME = ("ignore_certificate", "insecure")
_BESIDES_A_PIN = ("ca_file", "certificate_name", "ignore_certificate")
_NEEDS_PASSWORD = ("ntlm", "basic", "credssp")
_USER_ALONE = "a user alone is enough for winrm: {transport: kerberos} only"


def check_windows_cluster(data: Any, name: str, hosts: dict[str, dict[str, Any]]) -> Iterator[Finding]:
    """What is wrong with how WinRM is spoken with the hosts of a Windows cluster.

    Args:
        data: the whole fleet.
        name: the cluster's.
        hosts: its hosts, each as a mapping.
    """
    cluster = mapping(data, "clusters", name)
    path: Path = ("clusters", name)
    if cluster.get("become"):
        message = "expected no become in a Windows cluster, where there is no sudo"
        yield Finding(path=(*path, "become"), message=message, at_key=True)
    yield from _by_name(path, mapping(cluster, "winrm"))
    yield from _pin(path, mapping(cluster, "winrm"))
    shared: set[tuple[Path, str]] = set()
    for host, values in hosts.items():
        host_path = (*path, "hosts", host)
        if values.get("host_key") is not None:
            message = "expected no host_key at a Windows host, found one"
            hint = "WinRM has certificates: winrm.fingerprint pins one"
            yield Finding(path=(*host_path, "host_key"), message=message, hint=hint, at_key=True)
        yield from _pin(host_path, mapping(values, "winrm"))
        for finding in _login(data, (path, cluster), (host_path, values)):
            # What the cluster says is wrong once, however many hosts it has.
            if (finding.path, finding.message) not in shared:
                shared.add((finding.path, finding.message))
                yield finding


def check_linux_login(data: Any, path: Path, referrer: dict[str, Any]) -> Iterator[Finding]:
    """What is wrong with the credential that a Linux host, cluster or proxy refers to."""
    name = text(referrer, "credential")
    if name is None or name not in mapping(data, "credentials"):
        return
    credential = mapping(data, "credentials", name)
    if credential.get("certificate_file") is not None:
        message = (
            f'expected certificate_file for WinRM only, found "{name}", which has one, at a Linux machine'
        )
        hint = "give Linux a credential of its own"
        yield Finding(path=(*path, "credential"), message=message, hint=hint)
    if credential.get("key_file") is None and credential.get("password") is None:
        message = f'expected a credential with a key_file, a password or both for SSH, found "{name}"'
        yield Finding(path=(*path, "credential"), message=f"{message} with neither", hint=_USER_ALONE)


def _by_name(path: Path, winrm: dict[str, Any]) -> Iterator[Finding]:
    for key in _BY_NAME:
        if winrm.get(key):
            message = f"expected {key} at hosts only, found it at a cluster"
            hint = "put it at each host that goes without, by name"
            yield Finding(path=(*path, "winrm", key), message=message, hint=hint, at_key=True)


def _pin(path: Path, winrm: dict[str, Any]) -> Iterator[Finding]:
    others = [key for key in _BESIDES_A_PIN if winrm.get(key)]
    if winrm.get("fingerprint") is not None and others:
        message = f"expected fingerprint alone, as it decides by itself, found {listed(others)} beside it"
        yield Finding(path=(*path, "winrm", "fingerprint"), message=message, at_key=True)


def _login(
    data: Any, cluster: tuple[Path, dict[str, Any]], host: tuple[Path, dict[str, Any]]
) -> Iterator[Finding]:
    """What is wrong with a host's login, at the place that says so: the host's or the cluster's."""
    own, shared = (mapping(place[1], "winrm") for place in (host, cluster))
    settings = {**{key: value for key, value in shared.items() if key not in _BY_NAME}, **own}
    transport = text(settings, "transport") or "ntlm"
    saying = host[0] if {"transport", "scheme"} & own.keys() else cluster[0]
    if text(settings, "scheme") == "http":
        yield from _over_http(transport, (*saying, "winrm"), insecure=bool(settings.get("insecure")))
    where, who = host if "credential" in host[1] else cluster
    name = text(who, "credential")
    if name is not None and name in mapping(data, "credentials"):
        wrong = _unfit(transport, name, mapping(data, "credentials", name))
        if wrong is not None:
            yield wrong.model_copy(update={"path": (*where, "credential")})


def _over_http(transport: str, path: Path, *, insecure: bool) -> Iterator[Finding]:
    if transport == "certificate":
        message = "expected scheme: https for transport: certificate, found http"
        yield Finding(path=(*path, "scheme"), message=message)
    elif transport == "basic" and not insecure:
        message = "expected scheme: https for transport: basic, as http would show the password, found http"
        hint = "ntlm encrypts over http too; or say insecure: true at each host that goes without"
        yield Finding(path=(*path, "scheme"), message=message, hint=hint)


def _unfit(transport: str, name: str, credential: dict[str, Any]) -> Finding | None:
    if transport == "certificate":
        lacking = [key for key in ("certificate_file", "key_file") if credential.get(key) is None]
        if lacking:
            message = "expected a credential with certificate_file and key_file for transport: certificate"
            return Finding(path=(), message=f'{message}, found "{name}" without {listed(lacking)}')
    elif transport in _NEEDS_PASSWORD and credential.get("password") is None:
        message = f'expected a credential with a password for transport: {transport}, found "{name}"'
        hint = "WinRM can't log in with an SSH key" if credential.get("key_file") else _USER_ALONE
        return Finding(path=(), message=f"{message} without one", hint=hint)
    return None
