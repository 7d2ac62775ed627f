"""The kinds of value that fleet, application and plan are made of."""

import math
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
LONGEST_SECONDS, SHORTEST_SECONDS = 366 * 86_400.0, 0.001
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_PERCENT = re.compile(r"(\d{1,3})%")
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_DNS_NAME = 253


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a kind of value is called when something else was found in its place.

    Attributes:
        expected: completes the sentence "expected ...".
    """

    expected: str


class Value(BaseModel):
    """A frozen value; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _seconds(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("expected a duration such as 30s, 5m or 1.5h")  # noqa: TRY004 - pydantic collects ValueError
    if not isinstance(value, str):
        # As numbers, so that what was written into a record can be read back, however Python writes it.
        return float(value) if abs(value) <= LONGEST_SECONDS else math.inf
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("expected a duration such as 30s, 5m or 1.5h")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def _count_or_percent(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value.strip())) and int(match[1]) <= 100:  # noqa: PLR2004 - percent
        return value.strip()
    raise ValueError('expected a count such as 5, or a percent such as "25%"')


def percent_of(value: str) -> int:
    """The number in a percent text such as ``"25%"``."""
    return int(value.removesuffix("%"))


def _not_negative(value: int | str) -> int | str:
    if isinstance(value, int) and value < 0:
        raise ValueError("expected 0 or more")
    return value


def _above_zero(value: int | str) -> int | str:
    if value == 0 or (isinstance(value, str) and percent_of(value) == 0):
        raise ValueError('expected a batch of at least one host, such as 1 or "25%"')
    return value


def _is_dns_name(value: str) -> bool:
    labels = value.removesuffix(".").split(".")
    # A last label of digits alone is a mistyped IPv4 address: no top-level domain is a number (RFC 3696).
    return (
        len(value) <= _LONGEST_DNS_NAME
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def is_ip_address(value: str) -> bool:
    """Whether ``value`` is an IPv4 or IPv6 address."""
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def is_address(value: str) -> bool:
    """Whether ``value`` is an IP address or a valid DNS name."""
    return is_ip_address(value) or _is_dns_name(value)


def _address(value: str) -> str:
    if not is_address(value):
        raise ValueError("expected an IPv4 or IPv6 address or a host name")
    return value


Name = Annotated[
    str,
    StringConstraints(pattern=NAME_PATTERN),
    Words(expected="a name of letters, digits, _, . and - that starts with a letter or digit (at most 128)"),
]
Text = Annotated[str, Field(min_length=1), Words(expected="some text")]
Port = Annotated[int, Field(ge=1, le=65535, strict=True), Words(expected="a port from 1 to 65535")]
Address = Annotated[str, AfterValidator(_address), Words(expected="an IPv4 or IPv6 address or a host name")]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(ge=SHORTEST_SECONDS, le=LONGEST_SECONDS),
    Words(expected="a duration such as 30s, 5m or 1.5h, above 0 and up to 366d"),
]
CountOrPercent = Annotated[
    int | str,
    BeforeValidator(_count_or_percent),
    AfterValidator(_not_negative),
    Words(expected='a count such as 5, or a percent such as "25%"'),
]
BatchSize = Annotated[CountOrPercent, AfterValidator(_above_zero)]

FolderFormat = Literal["tar", "zip"]
"""What a folder that is uploaded is packed as."""
