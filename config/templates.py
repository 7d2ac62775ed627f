"""Parameters in the fields of actions: Jinja2, sandboxed, where a name that means nothing is an error."""

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from config.errors import BadInputError

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
    except TemplateSyntaxError as error:
        raise TemplateFieldError(f"not a valid template: {str(error.message).rstrip('.')}") from None


def render(text: str, parameters: Mapping[str, str]) -> str:
    """Fill ``parameters`` into ``text``.

    Raises:
        TemplateFieldError: ``text`` is not a valid template, or takes a name that ``parameters`` lacks.
    """
    if not is_template(text):
        return text
    try:
        return _template(text).render(parameters)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A template computes; what it may raise beyond Jinja2's own is what Python's operators raise.
        raise TemplateFieldError(f"the template can't be filled in: {error}") from None


@lru_cache(maxsize=1024)
def _template(text: str) -> Template:
    return _ENVIRONMENT.from_string(text)
