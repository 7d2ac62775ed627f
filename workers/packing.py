"""Files and folders on the worker's machine, made ready to be sent to hosts."""

import hashlib
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from config.values import FolderFormat

CHUNK_BYTES = 256 * 1024
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


class SourceError(Exception):
    """What is to be uploaded can't be read on the worker's machine."""


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """Something to upload: a file as it is, or a folder as an archive.

    Attributes:
        size: in bytes.
        sha256: of the bytes that travel.
        folder: whether they are an archive of a folder.
    """

    size: int
    sha256: str
    folder: bool
    content: BinaryIO

    def chunks(self, *, start: int = 0) -> Iterator[bytes]:
        """The bytes, from byte ``start`` on."""
        self.content.seek(start)
        while chunk := self.content.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def parcel(source: str, *, folder_format: FolderFormat = "tar") -> Iterator[Parcel]:
    """Open a file, or pack a folder; the same folder always gives the same bytes.

    Args:
        source: path on this machine; ``~`` is the worker's home.
        folder_format: what a folder is packed as.

    Raises:
        SourceError: it isn't there, or can't be read.
    """
    try:
        path = Path(source).expanduser()
        content = _PACKERS[folder_format](path) if path.is_dir() else _opened(path)
    except OSError as error:
        raise SourceError(f"{source}: {error.strerror or error}") from None
    except (RuntimeError, ValueError) as error:  # an unknown user's home; a NUL in the path
        raise SourceError(f"{source}: {error}") from None
    with content:
        digest, size = hashlib.sha256(), 0
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
        yield Parcel(size=size, sha256=digest.hexdigest(), folder=path.is_dir(), content=content)


def _opened(path: Path) -> BinaryIO:
    # A pipe would never begin, and a device never end.
    if path.exists() and not path.is_file():
        raise OSError("it is neither a file nor a folder")
    return path.open("rb")


def _packed(folder: Path) -> BinaryIO:
    packed = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - the caller closes it
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, arcname=str(path.relative_to(folder)), recursive=False, filter=_anonymous)
    packed.seek(0)
    return packed


def _zipped(folder: Path) -> BinaryIO:
    packed = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - the caller closes it
    with zipfile.ZipFile(packed, mode="w", compression=zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_dir():
                archive.writestr(zipfile.ZipInfo(f"{name}/", date_time=_ZIP_EPOCH), b"")
                continue
            entry = zipfile.ZipInfo(name, date_time=_ZIP_EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with path.open("rb") as file, archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(file, target)
    packed.seek(0)
    return packed


_PACKERS = {"tar": _packed, "zip": _zipped}


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """The worker's owners and times say nothing on the host."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry
