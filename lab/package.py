"""The demo's application: packages whose bytes are the same wherever and whenever they are made."""

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

NAME = "shop"

_SOURCES = Path(__file__).parent / "shop"


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A package that lies ready to be pulled.

    Attributes:
        version: the release.
        path: the file.
        sha256: its checksum, in hex.
    """

    version: str
    path: Path
    sha256: str


def make_package(directory: Path, version: str) -> Package:
    """Write the application's package for ``version`` into ``directory``."""
    content = package_bytes(version)
    path = directory / f"{NAME}-{version}.tar.gz"
    path.write_bytes(content)
    return Package(version=version, path=path, sha256=hashlib.sha256(content).hexdigest())


def package_bytes(version: str) -> bytes:
    """The package as bytes: in fixed order, without times or owners, for equal checksums."""
    files = (
        ("VERSION", f"{version}\n".encode(), 0o644),
        ("bin/shop", (_SOURCES / "shop.sh").read_bytes(), 0o755),
        ("install.sh", (_SOURCES / "install.sh").read_bytes(), 0o755),
    )
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content, mode in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = mode
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)
