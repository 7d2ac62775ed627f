"""Fabric in threads: connect and one command, with Fabric's own defaults."""

from common import Lab, main
from fabric import Connection


def host(lab: Lab, address: str) -> bool:
    """Connect, run one ``echo``, close."""
    arguments = {"pkey": lab.key, "allow_agent": False, "look_for_keys": False, "banner_timeout": 60}
    with Connection(address, user=lab.user, connect_kwargs=arguments) as connection:
        return bool(connection.run("echo step", hide=True, in_stream=False).ok)


main(host)
