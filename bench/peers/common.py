"""What the peers share that are Python scripts over SSH: the hosts, and a host key that is checked."""

from collections.abc import Callable
from dataclasses import dataclass

import paramiko
from clock import description, timed

STEPS = 10


@dataclass(frozen=True, kw_only=True)
class Lab:
    """The hosts, and how to log in."""

    addresses: tuple[str, ...]
    user: str
    key: paramiko.PKey
    host_key: str
    at_once: int


class OnlyKey(paramiko.MissingHostKeyPolicy):
    """Accepts the one key that every host of the lab has."""

    def __init__(self, expected: str) -> None:
        self._expected = expected

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Refuse any other key."""
        del client
        if f"{key.get_name()} {key.get_base64()}" != self._expected:
            raise paramiko.SSHException(f"{hostname} has another host key")


def connect(lab: Lab, address: str) -> paramiko.SSHClient:
    """A connection to one host, as paramiko makes it when nothing is tuned."""
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(OnlyKey(lab.host_key))
    client.connect(
        address, username=lab.user, pkey=lab.key, allow_agent=False, look_for_keys=False, timeout=30,
        banner_timeout=60, auth_timeout=60,
    )  # fmt: skip
    return client


def execute(client: paramiko.SSHClient, command: str) -> None:
    """Run a command to its end.

    Raises:
        RuntimeError: it ended with another code than 0.
    """
    _stdin, stdout, _stderr = client.exec_command(command, timeout=60)
    stdout.read()
    code = stdout.channel.recv_exit_status()
    if code != 0:
        raise RuntimeError(f"exit code {code}")


def main(host: Callable[[Lab, str], bool]) -> None:
    """Run ``host`` for every host, and print what ``timed`` does."""
    document = description()
    lab = Lab(
        addresses=tuple(document["addresses"]),
        user=document["user"],
        key=paramiko.Ed25519Key.from_private_key_file(document["key_file"]),
        host_key=document["host_key"],
        at_once=document["at_once"],
    )
    timed(lambda address: host(lab, address), lab.addresses, at_once=lab.at_once)
