"""Files that people wrote, as text and as data."""

from pathlib import Path

from config.positions import Document, YamlSyntaxError, place_at, read_yaml
from config.problems import InvalidFileError, Problem, did_you_mean


def read_document(file: str) -> Document:
    """The data of a YAML file, whatever it may be.

    Raises:
        InvalidFileError: as ``read_text``, or it is not YAML.
    """
    try:
        return read_yaml(read_text(file))
    except YamlSyntaxError as error:
        line, column = error.place
        problem = Problem(file=file, line=line, column=column, message=error.message, hint=error.hint)
        raise InvalidFileError([problem]) from None


def read_text(file: str) -> str:
    """The text of a UTF-8 file.

    Raises:
        InvalidFileError: it is missing, can't be read, or is not UTF-8.
    """
    try:
        content = Path(file).read_bytes()
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
    folder = Path(file).parent
    near = did_you_mean(Path(file).name, _names_in(folder))
    return Problem(file=file, message="expected a file, found none of this name", hint=near)


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
