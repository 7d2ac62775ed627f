"""The root of the errors that a user can cause."""

from typing import ClassVar


class LongshoreError(Exception):
    """Something went wrong that a person can understand and mend.

    The text says what happened, why, and what to try. ``exit_code`` is what the command line ends
    with (DESIGN §7).
    """

    exit_code: ClassVar[int] = 1


class BadInputError(LongshoreError):
    """What was asked for is not valid; nothing was sent."""

    exit_code: ClassVar[int] = 2


class RedisUnreachableError(LongshoreError):
    """Redis can't be reached."""

    exit_code: ClassVar[int] = 4
