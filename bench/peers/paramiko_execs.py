"""Paramiko in threads: connect, and ten steps as ten commands on that connection."""

from common import STEPS, Lab, connect, execute, main


def host(lab: Lab, address: str) -> bool:
    """Connect, run ten commands one after another, close."""
    with connect(lab, address) as client:
        for number in range(STEPS):
            execute(client, f"echo step {number}")
    return True


main(host)
