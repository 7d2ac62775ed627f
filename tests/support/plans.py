"""Small plans for tests of what happens to a run, not of planning."""

from config.application import Application
from config.fleet import Credential
from config.targets import HostTarget
from tasks.plan import Plan


def target(name: str, **changes: object) -> HostTarget:
    """A host on loopback that nothing listens on, unless told otherwise."""
    values: dict[str, object] = {
        "name": name,
        "cluster": "web",
        "os": "linux",
        "pool": "official",
        "address": f"127.0.0.{1 + int(name.rpartition('-')[2])}",
        "port": 22,
        "credential": Credential(user="deploy", key_file="~/.ssh/deploy"),
        "route": "direct",
    }
    return HostTarget.model_validate(values | changes)


def deployment(*batches: tuple[str, ...], max_failed: int | str = 0) -> Plan:
    """A deployment of ``true`` in the given batches."""
    names = [name for batch in batches for name in batch]
    return Plan(
        kind="deployment",
        application=Application.model_validate({"application": "shop", "actions": [{"run": "true"}]}),
        parameters={"version": "1.4"},
        steps=("true",),
        batches=batches,
        hosts={name: target(name) for name in names},
        max_failed=max_failed,
    )


def verification(*names: str) -> Plan:
    """A verification of the given hosts."""
    return Plan(kind="verification", batches=(names,), hosts={name: target(name) for name in names})
