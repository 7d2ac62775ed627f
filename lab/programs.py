"""Where this machine's programs are."""

import shutil
from typing import Final

_OF_ROOT: Final = "/usr/sbin:/sbin:/usr/local/sbin"


def find_program(name: str) -> str:
    """Path of a program, one that only root has on its PATH included.

    Raises:
        FileNotFoundError: it is not installed.
    """
    path = shutil.which(name) or shutil.which(name, path=_OF_ROOT)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed")
    return path
