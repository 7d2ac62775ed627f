"""Fleet and application files, read, checked, and refused with everything that is wrong in them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from os import PathLike
from typing import Any, TypeVar

from pydantic import ValidationError

from config.application import Application
from config.application_checks import check_application
from config.checks import check_fleet
from config.errors import BadInputError
from config.fleet import Fleet
from config.positions import Document, place_of
from config.problems import Finding, InvalidFileError, Problem, UnplacedError, dotted
from config.reading import read_document
from config.values import Value
from config.wording import QUOTE_IT, findings_of, found

_Model = TypeVar("_Model", bound=Value)
_Check = Callable[[Any], Iterator[Finding]]


def load_fleet(path: str | PathLike[str], *, forwards_pending: bool = False) -> Fleet:
    """Read a fleet file.

    Args:
        path: of the file.
        forwards_pending: whether hosts behind Windows proxies may still be without a forward_port.

    Raises:
        InvalidFileError: it can't be read, or something in it is wrong; names everything that is.
    """
    check = partial(check_fleet, forwards_pending=forwards_pending)
    return _load(path, Fleet, check, "pools, credentials, proxies and clusters")


def load_application(path: str | PathLike[str]) -> Application:
    """Read an application file.

    Raises:
        InvalidFileError: it can't be read, or something in it is wrong; names everything that is.
    """
    return _load(path, Application, check_application, "application, parameters, actions and rollout")


@contextmanager
def placed(path: str | PathLike[str]) -> Iterator[None]:
    """Say where in the file stands what turns out to be wrong with its data after it was loaded.

    Raises:
        BadInputError: in place of an ``UnplacedError``.
    """
    try:
        yield
    except UnplacedError as error:
        file = str(path)
        problems = _problems(file, read_document(file), list(error.findings))
        raise BadInputError("\n".join([*error.lines, *map(str, problems)])) from None


def _load(path: str | PathLike[str], model: type[_Model], check: _Check, keys: str) -> _Model:
    file = str(path)
    document = read_document(file)
    if not isinstance(document.data, dict):
        message = f"expected a mapping with {keys}, found {found(document.data)}"
        raise InvalidFileError([Problem(file=file, line=1, column=1, message=message)])
    loaded: _Model | None = None
    findings = list(document.findings)
    try:
        loaded = model.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError as error:
        said = {finding.path for finding in findings}
        findings += (finding for finding in findings_of(error, model) if finding.path not in said)
    findings += check(document.data)
    if loaded is None or findings:
        raise InvalidFileError(_problems(file, document, findings))
    return loaded


def _problems(file: str, document: Document, findings: list[Finding]) -> list[Problem]:
    problems = set()
    for finding in findings:
        line, column = place_of(document, finding)
        problems.add(
            Problem(
                file=file,
                line=line,
                column=column,
                field=dotted(finding.path),
                message=finding.message,
                hint=_quoted(document, finding),
            )
        )
    return sorted(
        problems, key=lambda problem: (problem.line, problem.column, problem.field, problem.message)
    )


def _quoted(document: Document, finding: Finding) -> str:
    """The hint; where it says to write something in quotes, with what stands in the file."""
    written = document.written(finding.path)
    if finding.hint == QUOTE_IT and written is not None:
        return f'{finding.hint}: "{written}"'
    return finding.hint
