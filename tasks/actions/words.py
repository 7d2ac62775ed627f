"""Shell words out of rendered fields, with secrets left as references to variables."""

import re
from collections.abc import Collection, Iterable

from config.errors import BadInputError
from tasks.hostscript.shell import quote

# Private-use characters: no field has a reason to hold them.
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"
_REFERENCE = re.compile(f"{_OPEN}([A-Za-z_][A-Za-z0-9_]*){_CLOSE}")


def secret_references(names: Iterable[str]) -> dict[str, str]:
    """Stand-ins to render templates with, for parameters whose values only the worker knows."""
    return {name: f"{_OPEN}{name}{_CLOSE}" for name in names}


def known_references(text: str, secrets: Collection[str]) -> str:
    """``text``, in which every stand-in is that of one of ``secrets``.

    Raises:
        BadInputError: a filter has changed a stand-in.
    """
    rest = _REFERENCE.sub(lambda match: "" if match[1] in secrets else match[0], text)
    if _OPEN in rest or _CLOSE in rest:
        raise BadInputError("a secret parameter takes no filters: its value is known on the host only")
    return text


def shell_word(text: str) -> str:
    """``text`` as one word of shell, where a secret's stand-in has become the variable that holds it.

    Raises:
        BadInputError: the text has a NUL.
    """
    if "\0" in text:
        raise BadInputError("the text has a NUL character in it")
    if _OPEN not in text and _CLOSE not in text:
        return quote(text)
    words = []
    for position, part in enumerate(_REFERENCE.split(text)):
        if position % 2:
            words.append(f'"${{{part}}}"')
        elif part:
            words.append(quote(part))
    return "".join(words)


def parts_of(text: str) -> list[str]:
    """``text`` cut at its secrets' stand-ins: texts, and names of the variables that hold secrets, by turns.

    Raises:
        BadInputError: the text has a NUL.
    """
    if "\0" in text:
        raise BadInputError("the text has a NUL character in it")
    return _REFERENCE.split(text)


def clear_text(text: str, what: str) -> str:
    """``text``, which must hold no secret, since ``what`` is kept and shown.

    Raises:
        BadInputError: it names a secret parameter.
    """
    if _OPEN in text or _CLOSE in text:
        raise BadInputError(f"{what} can't hold a secret parameter: it is kept and shown in clear")
    return text
