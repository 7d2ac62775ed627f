"""Parameters in the fields of actions: Jinja2, sandboxed, where a name that means nothing is an error."""

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from config.errors import BadInputError
from config.plain import is_utf8

_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,  # fields are paths and URLs, never HTML; commands get no templates at all
    keep_trailing_newline=True,
)
# Jinja2's own range, lipsum and so on would be names beside the declared parameters.
_ENVIRONMENT.globals.clear()
# A plan must give the same script each time.
del _ENVIRONMENT.filters["random"]


class TemplateFieldError(BadInputError):
    """The field is not a valid template, or its parameters don't fill it in."""


def is_template(text: str) -> bool:
    """Whether Jinja2 would take anything in ``text`` for its own."""
    return "{{" in text or "{%" in text or "{#" in text


def undefined_names(text: str) -> frozenset[str]:
    """The names that ``text`` leaves for parameters to define.

    Raises:
        TemplateFieldError: ``text`` is not a valid template.
    """
    if not is_template(text):
        return frozenset()
    try:
        return frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(text)))
    except Exception as error:  # the boundary to Jinja2, whose parser also raises what Python's own raise
        raise TemplateFieldError(f"not a valid template: {_words(error)}") from error


def render(text: str, parameters: Mapping[str, str]) -> str:
    """Fill ``parameters`` into ``text``.

    Raises:
        TemplateFieldError: ``text`` is not a valid template, takes a name that ``parameters`` lacks, or
            computes what can't be computed or written down.
    """
    if not is_template(text):
        return text
    try:
        filled = _template(text).render(parameters)
    except Exception as error:  # a template computes: its filters and operators raise whatever Python's do
        raise TemplateFieldError(f"the template can't be filled in: {_words(error)}") from error
    if not is_utf8(filled):
        raise TemplateFieldError("the template can't be filled in: what it makes is not UTF-8")
    return filled


def _words(error: Exception) -> str:
    match error:
        case RecursionError():
            return "it is nested too deeply"
        case MemoryError():
            return "it is too large"
        case TemplateSyntaxError():
            return str(error.message).rstrip(".")
        case _:
            return str(error).rstrip(".") or type(error).__name__


@lru_cache(maxsize=1024)
def _template(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)
