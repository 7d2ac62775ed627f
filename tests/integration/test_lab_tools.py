"""What the lab puts on its hosts: the demo's service, and a wget where the machine has none."""

import subprocess
from pathlib import Path

import pytest

from lab.fleet import search_path
from lab.package_server import PackageServer
from lab.ssh_hosts import SYSTEM_PATH
from tests.support.privilege import needs
from tests.support.processes import alive, comes_true

pytestmark = pytest.mark.integration
SHOP = Path(__file__).resolve().parents[2] / "lab" / "shop"


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox ash"])
def test_the_service_starts_restarts_and_stops_under_each_shell(shell: str, tmp_path: Path) -> None:
    needs(shell.split(maxsplit=1)[0])
    (tmp_path / "bin").mkdir()
    (tmp_path / "VERSION").write_text("1.0\n")
    for name, target in (("shop.sh", "bin/shop"), ("install.sh", "install.sh")):
        (tmp_path / target).write_bytes((SHOP / name).read_bytes())

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [*shell.split(), *words],
            cwd=tmp_path,
            env={"PATH": SYSTEM_PATH, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def pid() -> int:
        return int((tmp_path / "shop.pid").read_text().split()[0])

    assert run("install.sh", "1.1")[0] == 1
    assert run("install.sh", "1.0") == (0, "installed shop 1.0\n")
    assert run("bin/shop", "status")[0] == 1
    assert run("bin/shop", "start")[0] == 0
    first = pid()
    try:
        assert run("bin/shop", "start")[0] == 0
        assert pid() == first
        assert run("bin/shop", "restart")[0] == 0
        assert pid() != first
        assert run("bin/shop", "status") == (0, "shop 1.0 is running\n")
    finally:
        running = pid()
        assert run("bin/shop", "stop")[0] == 0
    assert comes_true(lambda: not alive(running))
    assert run("bin/shop", "status")[0] == 1


def test_a_machine_with_curl_or_wget_keeps_its_own(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "wget").touch(mode=0o755)
    assert search_path(tmp_path / "tools", str(tmp_path / "bin")) == str(tmp_path / "bin")
    assert not (tmp_path / "tools").exists()


def test_a_machine_with_neither_gets_a_wget_that_speaks_like_busybox(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "file").write_bytes(b"content")
    assert search_path(tmp_path / "tools", "/nonexistent") == f"{tmp_path}/tools:/nonexistent"

    def wget(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(tmp_path / "tools" / "wget"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "BusyBox" in wget("--help").stdout
    with PackageServer(tmp_path / "packages", log=tmp_path / "log") as server:
        pulled = tmp_path / "pulled"
        assert wget("-q", "-T", "30", "-O", str(pulled), "--", f"{server.url}/file").returncode == 0
        absent = wget("-q", "-O", str(pulled), "--", f"{server.url}/absent")
    assert pulled.read_bytes() == b"content"
    assert (absent.returncode, absent.stderr) == (
        1,
        "wget: server returned error: HTTP/1.1 404 File not found\n",
    )
    refused = wget("-q", "-O", str(pulled), "--", f"{server.url}/file")
    assert refused.returncode == 1
    assert "refused" in refused.stderr
    assert wget("-q", "-O", str(pulled), "--", "file:///etc/passwd").returncode == 1
