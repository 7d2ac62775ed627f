"""Which parameters can be environment variables of the commands on a host."""

import re

LARGEST_VALUE = 96 * 1024
"""Bytes; Linux gives one variable 128 KiB."""
LARGEST_ENVIRONMENT = 1024 * 1024
"""Bytes of all parameters together."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Read-only or with a meaning of their own in one of the shells: setting them would break the runner.
_RESERVED = re.compile(
    r"(PATH|IFS|HOME|PWD|OLDPWD|ENV|PPID|E?UID|OPTIND|PS4|LINENO|RANDOM|BASH_ENV|BASHOPTS|SHELLOPTS"
    r"|BASH_VERSINFO|POSIXLY_CORRECT|LD_PRELOAD|LD_LIBRARY_PATH|LONGSHORE_.*|__.*)"
)


def unusable_name(name: str) -> str | None:
    """What is wrong with a parameter's name, to follow it in a sentence; None when nothing is."""
    if _NAME.fullmatch(name) and not _RESERVED.fullmatch(name):
        return None
    return "this name has a meaning in the host's shell; choose another one"


def unusable_value(value: str) -> str | None:
    """What is wrong with a parameter's value, never showing it; None when nothing is."""
    if "\0" in value:
        return "its value has a NUL character, which no environment variable can hold"
    if len(value.encode("utf-8", "surrogateescape")) > LARGEST_VALUE:
        return f"its value is over {LARGEST_VALUE} bytes; use an upload for content"
    return None
