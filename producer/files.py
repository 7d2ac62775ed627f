"""Files of the person who asks."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from config.errors import BadInputError


def replace_content(path: str, content: bytes) -> None:
    """Give a file new content, all of it or nothing; its mode stays, and so does a link to it.

    Raises:
        BadInputError: it can't be written.
    """
    target = Path(path).resolve()
    temporary = ""
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as stream:
            temporary = stream.name
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        shutil.copymode(target, temporary)
        Path(temporary).replace(target)
    except OSError as error:
        with suppress(OSError):
            Path(temporary).unlink()
        raise BadInputError(f"{path} can't be written and was left as it is: {error.strerror}.") from None
