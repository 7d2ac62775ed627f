import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from workers.packing import SourceError, parcel


def test_a_file_travels_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x00" * 300_000 + b"end")

    with parcel(str(tmp_path / "a")) as packed:
        content = b"".join(packed.chunks())

    assert content == (tmp_path / "a").read_bytes()
    assert (packed.size, packed.folder) == (300_003, False)
    assert packed.sha256 == hashlib.sha256(content).hexdigest()


def test_a_folder_gives_the_same_bytes_whenever_and_by_whomever_it_is_packed(tmp_path: Path) -> None:
    for name, time in (("one", 1_000), ("two", 2_000_000)):
        folder = tmp_path / name
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "run").write_text("#!/bin/sh\n")
        (folder / "bin" / "run").chmod(0o755)
        (folder / "link").symlink_to("bin/run")
        os.utime(folder / "bin" / "run", (time, time))

    with parcel(str(tmp_path / "one")) as one, parcel(str(tmp_path / "two")) as two:
        assert one.sha256 == two.sha256
        assert one.folder
        with tarfile.open(fileobj=io.BytesIO(b"".join(one.chunks()))) as archive:
            assert [(entry.name, entry.mode & 0o777) for entry in archive if entry.isfile()] == [
                ("bin/run", 0o755)
            ]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing: No such file"), parcel(str(tmp_path / "missing")):
        pass


def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="neither a file nor a folder"), parcel(str(tmp_path / "pipe")):
        pass


@pytest.mark.parametrize("source", ["/dev/zero", "~no-such-user-here/x", "/nowhere/x", "with\0nul"])
def test_what_can_not_be_read_is_named(source: str) -> None:
    with pytest.raises(SourceError) as refused, parcel(source):
        pass
    assert str(refused.value).startswith(source)
