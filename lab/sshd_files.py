"""The files that a real sshd of the lab runs on: its configuration, its host key, and who may log in."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lab.keys import make_key

_COMMON: Final = {
    "PidFile": "none",
    "UsePAM": "no",
    "UseDNS": "no",
    "PasswordAuthentication": "no",
    "KbdInteractiveAuthentication": "no",
    "PrintMotd": "no",
    "PrintLastLog": "no",
    "LogLevel": "VERBOSE",
    "MaxStartups": "100",
}

_FORWARD_ONLY: Final = {
    "AllowTcpForwarding": "local",
    "AllowStreamLocalForwarding": "no",
    "AllowAgentForwarding": "no",
    "GatewayPorts": "no",
    "PermitTunnel": "no",
    "X11Forwarding": "no",
    "PermitTTY": "no",
    "MaxSessions": "0",
}


def sshd_config(state: Path, port: int, settings: Mapping[str, str]) -> str:
    """The configuration of an sshd that has ``host_key`` and ``authorized_keys`` in ``state``.

    Args:
        state: the directory.
        port: where it listens.
        settings: what differs from every other sshd of the lab.
    """
    own = {
        "Port": str(port),
        "HostKey": f"{state}/host_key",
        "AuthorizedKeysFile": f"{state}/authorized_keys",
    }
    return "".join(f"{name} {value}\n" for name, value in (own | _COMMON | dict(settings)).items())


def write_sshd_files(state: Path, *, authorized_key: str, forward_only: bool) -> str:
    """Write ``host_key``, ``authorized_keys`` and ``sshd_config`` into ``state``; the port is 22.

    Args:
        state: a directory that root owns; sshd reads the files there.
        authorized_key: public key that opens the door.
        forward_only: as on a proxy: connections are passed on, and no command runs.

    Returns:
        The public host key as ``type base64``.
    """
    host_key = make_key(state / "host_key")
    options = "restrict,port-forwarding " if forward_only else ""
    authorized_keys = state / "authorized_keys"
    authorized_keys.write_text(f"{options}{authorized_key}\n")
    authorized_keys.chmod(0o644)
    (state / "sshd_config").write_text(sshd_config(state, 22, _FORWARD_ONLY if forward_only else {}))
    return host_key
