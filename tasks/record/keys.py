"""The keys of the record; docs/reference/record.md tells type, writer and expiry of each."""

from config.targets import HostTarget, ProxyHop

RUNS = "runs"
ACTIVE = "runs:active"
SERVER = "server"
PINS = "pins"
VERIFIED = "verified"
WORKERS = "workers"
SWEEP = "sweep"


def run(run_id: str) -> str:
    """Hash: how the run stands, and its frozen plan less the hosts."""
    return f"run:{run_id}"


def hosts(run_id: str) -> str:
    """Hash: host to its target, as planned."""
    return f"run:{run_id}:hosts"


def status(run_id: str) -> str:
    """Hash: host to ``waiting``, ``sent``, ``running TOKEN`` or ``done OUTCOME``."""
    return f"run:{run_id}:status"


def results(run_id: str) -> str:
    """Hash: host to its result, once it has ended."""
    return f"run:{run_id}:results"


def events(run_id: str) -> str:
    """Stream: what happened, in order; ``t`` kind, ``h`` host, ``d`` data."""
    return f"run:{run_id}:events"


def log(run_id: str, host: str) -> str:
    """String: the head of what the host printed."""
    return f"run:{run_id}:log:{host}"


def log_tail(run_id: str, host: str) -> str:
    """Hash, only when the log was cut: ``cut`` bytes left out, and the ``tail`` after them."""
    return f"{log(run_id, host)}:tail"


def lease(run_id: str, kind: str, target: HostTarget) -> str:
    """Hash: who may drive the machine now. A verification excludes nobody but its own copies."""
    if kind == "deployment":
        return f"lease:{identity(target)}"
    return f"lease:{run_id}:{target.name}"


def queue(kind: str, target: HostTarget) -> str:
    """Sorted set: ``run host`` of the deployments that want the machine, in the order of their making.

    Empty for a verification, which waits for nobody.
    """
    return f"queue:{identity(target)}" if kind == "deployment" else ""


def deferred(run_id: str) -> str:
    """Hash: host to why it waits to be tried again, since when, and when it will be (JSON)."""
    return f"run:{run_id}:deferred"


def releases(target: HostTarget, application: str) -> str:
    """List: runs that brought the application to the machine well, the newest first."""
    return f"releases:{identity(target)}:{application}"


def release(run_id: str) -> str:
    """Hash: what such a run brought, for longer than its record is kept."""
    return f"release:{run_id}"


def identity(target: HostTarget) -> str:
    """What makes two targets the same machine, whatever fleets call it: pool, way and address."""
    way = "".join(f"{hop.address}:{hop.port}>" for hop in target.hops)
    return f"{target.pool}/{way}{target.address}:{target.port}"


def proxy_identity(target: HostTarget, hop: ProxyHop) -> str:
    """The same for one of the proxies on the target's way."""
    way = "".join(f"{each.address}:{each.port}>" for each in target.hops[: target.hops.index(hop)])
    return f"{target.pool}/{way}{hop.address}:{hop.port}"
