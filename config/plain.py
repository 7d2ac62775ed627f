"""Reading plain data that may not have the shape it should: what is amiss counts as absent.

Checks run on the data as written rather than on models, so that one mistake in a file doesn't hide
the others; the shape itself is the models' affair.
"""

from typing import Any


def is_utf8(value: str) -> bool:
    """Whether ``value`` can be written down; half a character, which a Python text may have in it, can't."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def mapping(value: Any, *keys: str) -> dict[str, Any]:
    """The mapping at ``keys`` inside ``value``; empty when there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def text(value: Any, key: str) -> str | None:
    """The text at ``key`` inside ``value``; None when there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
