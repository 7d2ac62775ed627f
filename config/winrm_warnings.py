"""What people are told of hosts that are reached without a check of who they are, or without encryption."""

from collections.abc import Iterable

from config.problems import listed
from config.targets import HostTarget

_MOST_SHOWN = 6
_SENTENCES = {
    "ignore_certificate": "any certificate is taken (ignore_certificate), even another machine's",
    "insecure": "http without encryption (insecure); who is on the way reads and changes what is sent",
}
_IN_BRIEF = {"ignore_certificate": "certificate not checked", "insecure": "not encrypted"}


def target_warnings(targets: Iterable[HostTarget]) -> tuple[str, ...]:
    """One sentence for each kind of carelessness that targets are allowed; it names them in their order."""
    careless: dict[str, list[str]] = {field: [] for field in _SENTENCES}
    for target in targets:
        for field in _allowed(target):
            careless[field].append(target.name)
    return tuple(f"{_shown(names)}: {_SENTENCES[field]}." for field, names in careless.items() if names)


def warnings_in_brief(target: HostTarget) -> tuple[str, ...]:
    """The same of one target, in two or three words each, for a line that names it already."""
    return tuple(_IN_BRIEF[field] for field in _allowed(target))


def _allowed(target: HostTarget) -> list[str]:
    return [field for field in _SENTENCES if target.winrm is not None and getattr(target.winrm, field)]


def _shown(names: list[str]) -> str:
    more = [f"{len(names) - _MOST_SHOWN} more"] if len(names) > _MOST_SHOWN else []
    return listed(names[:_MOST_SHOWN] + more)
