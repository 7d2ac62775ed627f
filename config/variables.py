"""Which parameters can be environment variables of the commands on a host."""

import re
from collections.abc import Iterable

LARGEST_VALUE = 96 * 1024
"""Bytes; Linux gives one variable 128 KiB."""
LARGEST_VALUE_ON_WINDOWS = 32_766
"""UTF-16 units; .NET Framework's SetEnvironmentVariable refuses longer ones."""
LARGEST_ENVIRONMENT = 1024 * 1024
"""Bytes of all parameters together."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Read-only or with a meaning of their own in one of the shells: setting them would break the runner.
_RESERVED = re.compile(
    r"(PATH|IFS|HOME|PWD|OLDPWD|ENV|PPID|E?UID|OPTIND|PS4|LINENO|RANDOM|BASH_ENV|BASHOPTS|SHELLOPTS"
    r"|BASH_VERSINFO|POSIXLY_CORRECT|LD_PRELOAD|LD_LIBRARY_PATH|LONGSHORE_.*|__.*)"
)
# What programs on Windows need as it is; there, names differ in more than case.
_RESERVED_ON_WINDOWS = frozenset(
    (
        *(
            "PATH",
            "PATHEXT",
            "COMSPEC",
            "SYSTEMROOT",
            "SYSTEMDRIVE",
            "WINDIR",
            "TEMP",
            "TMP",
            "OS",
            "PSMODULEPATH",
        ),
        *("USERPROFILE", "USERNAME", "USERDOMAIN", "HOMEDRIVE", "HOMEPATH", "APPDATA", "LOCALAPPDATA"),
        *("PROGRAMDATA", "PROGRAMFILES", "COMMONPROGRAMFILES", "COMPUTERNAME", "PROMPT", "ERRORLEVEL", "CD"),
    )
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


def unusable_on_windows(name: str, value: str, names: Iterable[str]) -> str | None:
    """What is wrong with a parameter on Windows, where names have no case; None when nothing is.

    Args:
        name: of the parameter.
        value: never shown.
        names: of all parameters.
    """
    if len(value.encode("utf-16-le", "surrogatepass")) // 2 > LARGEST_VALUE_ON_WINDOWS:
        return f"its value is over {LARGEST_VALUE_ON_WINDOWS} characters; use an upload for content"
    if name.upper() in _RESERVED_ON_WINDOWS:
        return "this name has a meaning on Windows; choose another one"
    twins = sorted(other for other in names if other.upper() == name.upper() and other != name)
    return f"on Windows this is the same name as {twins[0]!r}; choose another one" if twins else None
