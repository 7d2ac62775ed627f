"""Small texts that several views share. Pure."""

from collections import Counter
from datetime import UTC, datetime

from producer.failures import hosts_of
from tasks.outcomes import Outcome
from tasks.record.views import RunView

_MINUTE, _HOUR = 60.0, 3600.0
_ORDER = list(Outcome)


def duration(seconds: float | None) -> str:
    """A time span: ``0.4 s``, ``12 s``, ``3:07``, ``1:02:33``; a dash while unknown."""
    if seconds is None:
        return "-"
    if seconds < 10:  # noqa: PLR2004 - below that, tenths matter
        return f"{seconds:.1f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    minutes, whole = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"


def moment(seconds: float | None) -> str:
    """A point in time, in UTC: logs of many machines are compared with it."""
    if seconds is None:
        return "-"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def count(number: int, noun: str) -> str:
    """``1 host``, ``2 hosts``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def outcome_counts(view: RunView) -> str:
    """How many hosts ended in which way: ``38 ok, 2 failed``."""
    counts = Counter(host.outcome for host in hosts_of(view))
    ended = [f"{counts[outcome]} {words(outcome)}" for outcome in _ORDER if counts[outcome]]
    return ", ".join(ended + ([f"{counts[None]} not ended yet"] if counts[None] else []))


def words(code: str) -> str:
    """A code of several words as people write it: ``timed out``."""
    return code.replace("_", " ")
