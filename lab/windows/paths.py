"""Windows paths, as a folder that plays drive C: has them."""

import re
from pathlib import Path


class PathError(Exception):
    """A path that this machine doesn't have; the text is what Windows would say, or the lab's own."""


def parts_of(path: str, directory: str) -> list[str]:
    r"""The names in a path on C:, after ``directory`` where it is relative; ``..`` stops at ``C:\``.

    Raises:
        PathError: another drive, a network path, or a name that Windows doesn't have.
    """
    text = path.replace("/", "\\").strip('"')
    if text.startswith("\\\\"):
        raise PathError(f"the WinRM protocol lab has no network paths: {path}")
    if re.match(r"^[A-Za-z]:", text):
        if text[0] not in "cC":
            raise PathError("The system cannot find the drive specified.")
        text = text[2:]
    if not text.startswith("\\"):
        text = f"{directory[2:]}\\{text}"
    names: list[str] = []
    for name in text.split("\\"):
        if name == "..":
            names = names[:-1]
        elif name not in {"", "."}:
            names.append(_checked(name))
    return names


def _checked(name: str) -> str:
    if re.search(r'[<>:"|?*\x00-\x1f]', name):
        raise PathError("The filename, directory name, or volume label syntax is incorrect.")
    return name.rstrip(". ") or name


def find(root: Path, names: list[str]) -> Path:
    """The place of these names under ``root``, whatever their case there; new names stay as they are."""
    place = root
    for name in names:
        direct = place / name
        if not direct.is_symlink() and not direct.exists() and place.is_dir():
            twins = [each for each in place.iterdir() if each.name.lower() == name.lower()]
            direct = twins[0] if twins else direct
        place = direct
    return place


def joined(names: list[str]) -> str:
    r"""Names as a path: ``C:\a\b``."""
    return "C:\\" + "\\".join(names)
