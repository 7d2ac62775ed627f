"""Fleet and application files, read, checked, and refused with everything that is wrong in them."""

from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path as FilePath
from typing import Any, TypeVar

from pydantic import ValidationError

from config.application import Application
from config.application_checks import check_application
from config.checks import check_fleet
from config.fleet import Fleet
from config.positions import Document, YamlSyntaxError, place_at, place_of, read_yaml
from config.problems import Finding, InvalidFileError, Problem, did_you_mean, dotted
from config.values import Value
from config.wording import QUOTE_IT, findings_of, found

_Model = TypeVar("_Model", bound=Value)
_Check = Callable[[Any], Iterator[Finding]]


def load_fleet(path: str | PathLike[str]) -> Fleet:
    """Read a fleet file.

    Raises:
        InvalidFileError: it can't be read, or something in it is wrong; names everything that is.
    """
    return _load(path, Fleet, check_fleet, "pools, credentials, proxies and clusters")


def load_application(path: str | PathLike[str]) -> Application:
    """Read an application file.

    Raises:
        InvalidFileError: it can't be read, or something in it is wrong; names everything that is.
    """
    return _load(path, Application, check_application, "application, parameters, actions and rollout")


def _load(path: str | PathLike[str], model: type[_Model], check: _Check, keys: str) -> _Model:
    file = str(path)
    document = _document(file, _text(file))
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


def _text(file: str) -> str:
    try:
        content = FilePath(file).read_bytes()
    except OSError as error:
        raise InvalidFileError([_unreadable(file, error)]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = place_at(content[: error.start].decode("utf-8-sig", "replace"))
        message = f"expected UTF-8 text, found the byte 0x{content[error.start]:02x}"
        problem = Problem(file=file, line=line, column=column, message=message, hint="save the file as UTF-8")
        raise InvalidFileError([problem]) from None


def _unreadable(file: str, error: OSError) -> Problem:
    reason = (error.strerror or str(error)).lower()
    if not isinstance(error, FileNotFoundError):
        return Problem(file=file, message=f"expected a file that can be read, found: {reason}")
    folder = FilePath(file).parent
    near = did_you_mean(FilePath(file).name, _names_in(folder))
    return Problem(file=file, message="expected a file, found none of this name", hint=near)


def _names_in(folder: FilePath) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def _document(file: str, text: str) -> Document:
    try:
        return read_yaml(text)
    except YamlSyntaxError as error:
        line, column = error.place
        problem = Problem(file=file, line=line, column=column, message=error.message, hint=error.hint)
        raise InvalidFileError([problem]) from None


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
