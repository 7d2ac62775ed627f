"""What the peers share that are Python scripts over WinRM: the login, and what a step must print."""

import os
from collections.abc import Callable
from typing import Any

import winrm
from clock import description, timed


def session_with(document: dict[str, Any], address: str) -> winrm.Session:
    """A Session of pywinrm with a host: HTTPS whose certificate is checked, and NTLM."""
    return winrm.Session(
        f"https://{address}:{document['port']}/wsman",
        auth=(document["user"], os.environ[document["password_variable"]]),
        transport="ntlm",
        ca_trust_path=document["ca_file"],
    )


def main(host: Callable[[winrm.Session, str, int], list[bytes]]) -> None:
    """Run ``host`` with a session, the text of a step and the number of steps for every host.

    It gives what each step printed. What ``timed`` does is printed.
    """
    document = description()
    step, count = document["step"], document["steps"]
    expected = [f"{document['prints']}\r\n".encode()] * count

    def good(address: str) -> bool:
        return host(session_with(document, address), step, count) == expected

    timed(good, document["addresses"], at_once=document["at_once"])
