"""Whether, and for how long, a host that can't be reached is tried again later. Pure."""

from config.causes import Cause
from tasks.outcomes import Later

ROUTE_CAUSES = frozenset(
    {
        Cause.PROXY_DNS,
        Cause.PROXY_TCP_REFUSED,
        Cause.PROXY_TCP_TIMEOUT,
        Cause.PROXY_TCP_UNREACHABLE,
        Cause.PROXY_PROTOCOL,
        Cause.PROXY_LOST,
    }
)
"""A proxy is down; what it refuses, such as a login, waiting does not mend."""
SHORTEST, LONGEST = 1.0, 15.0


def later(
    cause: Cause, message: str, *, proxy: str, begun: bool, waited: float | None, limit: float
) -> Later | None:
    """When to try the host again; None once it has waited long enough, or where waiting is of no use.

    Args:
        cause: why it can't be reached.
        message: a line for people.
        proxy: the proxy that is at fault, if one is.
        begun: it may have begun on the host, so that its end is wanted in any case.
        waited: seconds since it was found out of reach; None for the first time.
        limit: seconds that it may wait.
    """
    down = proxy if cause in ROUTE_CAUSES else ""
    so_far = waited or 0.0
    if so_far >= limit or not (begun or down):
        return None
    # Half of the time that it took so far: soon after a blip, and seldom in a long outage.
    pause = min(max(SHORTEST, so_far / 2), LONGEST, max(SHORTEST, limit - so_far))
    return Later(begun=begun, seconds=pause, proxy=down, cause=cause, message=message)
