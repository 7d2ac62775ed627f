"""Paramiko in threads: connect and one ``true``. The reference: no tool that connects can do less."""

from common import Lab, connect, execute, main


def host(lab: Lab, address: str) -> bool:
    """Connect, run ``true``, close."""
    with connect(lab, address) as client:
        execute(client, "true")
    return True


main(host)
