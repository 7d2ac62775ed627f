"""The kinds of value that fleet, application and plan are made of."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, None: 1.0}
_PERCENT = re.compile(r"^(\d{1,3})%$")


class Value(BaseModel):
    """A frozen value; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _seconds(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("expected a duration such as 30s, 5m or 1.5h")  # noqa: TRY004 - pydantic collects ValueError
    match = _DURATION.match(str(value).strip())
    if match is None:
        raise ValueError("expected a duration such as 30s, 5m or 1.5h")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def _count_or_percent(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and (match := _PERCENT.match(value.strip())) and int(match[1]) <= 100:  # noqa: PLR2004 - percent
        return value.strip()
    raise ValueError('expected a count such as 5, or a percent such as "25%"')


def percent_of(value: str) -> int:
    """The number in a percent text such as ``"25%"``."""
    return int(value.removesuffix("%"))


def _not_negative(value: int | str) -> int | str:
    if isinstance(value, int) and value < 0:
        raise ValueError("expected 0 or more")
    return value


Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
CountOrPercent = Annotated[int | str, BeforeValidator(_count_or_percent), AfterValidator(_not_negative)]
