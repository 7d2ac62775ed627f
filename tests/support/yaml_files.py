"""Fleet and application files for tests of whole runs."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from lab.sshd import Sshd


def write_yaml(path: Path, content: dict[str, Any]) -> Path:
    """Write a file as a person would."""
    with path.open("w") as file:
        YAML().dump(content, file)
    return path


def web_address(number: int) -> str:
    """Where a host of ``fleet_of`` is reached, counted from 1."""
    return f"127.0.1.{number}"


def fleet_of(sshd: Sshd, hosts: int = 3, *, home: Path, proxy: Sshd | None = None) -> dict[str, Any]:
    """A fleet whose hosts are loopback addresses of one sshd, each with a work directory of its own."""
    account = sshd.account
    fleet: dict[str, Any] = {
        "pools": {"official": {"kind": "official"}},
        "credentials": {"deploy": {"user": account.user, "key_file": str(account.key_file)}},
        "clusters": {
            "web": {
                "os": "linux",
                "pool": "official",
                "credential": "deploy",
                "port": sshd.port,
                "hosts": {
                    f"web-{number}": {
                        "address": web_address(number),
                        "work_directory": f"{home}/web-{number}",
                    }
                    for number in range(1, hosts + 1)
                },
            }
        },
    }
    if proxy is not None:
        bastion = {
            "os": "linux",
            "address": "127.0.0.1",
            "port": proxy.port,
            "credential": "deploy",
            "host_key": proxy.host_key,
        }
        fleet["proxies"] = {"bastion": bastion}
        fleet["clusters"]["web"]["proxy"] = "bastion"
    return fleet


def merged(*fleets: dict[str, Any]) -> dict[str, Any]:
    """One fleet with all that these declare."""
    sections = {section for fleet in fleets for section in fleet}
    return {
        section: {name: entry for fleet in fleets for name, entry in fleet.get(section, {}).items()}
        for section in sorted(sections)
    }


def application_of(*actions: dict[str, Any], rollout: dict[str, Any] | None = None) -> dict[str, Any]:
    """An application of the given actions, with one parameter."""
    return {
        "application": "shop",
        "parameters": {"version": {"default": "1.4"}},
        "actions": list(actions),
        "rollout": rollout or {"batches": ["100%"]},
    }
