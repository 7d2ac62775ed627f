"""``longshore fleet forwards``, as a person meets it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from producer.cli import main
from producer.files import replace_content

FLEET = """\
pools: {official: {kind: official, addresses: [198.51.100.7]}}
credentials: {admin: {user: Administrator, password: {env: P}}}
proxies:
  win: {os: windows, address: 203.0.113.11}
clusters:
  desk:
    os: windows
    pool: official
    credential: admin
    proxy: win
    hosts:
      desk-1: 10.0.1.21  # by the door
      desk-2: {address: 10.0.1.22, forward_port: 15000}
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LONGSHORE_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.delenv("LONGSHORE_RECORD_URL", raising=False)
    monkeypatch.delenv("LONGSHORE_FLEET", raising=False)
    file = tmp_path / "fleet.yaml"
    file.write_text(FLEET)
    return file


def _longshore(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def test_forwards_are_a_table_and_commands_and_the_file_is_left_alone(file: Path) -> None:
    result = _longshore("fleet", "forwards")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["win", "15001", "desk-1", "10.0.1.21:5986", "not", "yet"] in rows
    assert ["win", "15000", "desk-2", "10.0.1.22:5986", "yes"] in rows
    assert "portproxy add v4tov4 listenaddress=0.0.0.0 listenport=15001" in result.stdout
    assert "1 host without a forward_port in fleet.yaml: --write puts it there." in result.stderr
    assert file.read_text() == FLEET


def test_the_ports_are_written_and_the_fleet_can_be_planned_with(file: Path) -> None:
    assert _longshore("hosts").exit_code == 2
    result = _longshore("fleet", "forwards", "win", "--write")
    assert (result.exit_code, result.stderr) == (0, "Wrote 1 port into fleet.yaml.\n")
    assert "desk-1: {address: 10.0.1.21, forward_port: 15001}  # by the door" in file.read_text()
    assert "fleet.yaml has every port already." in _longshore("fleet", "forwards", "--write").stderr
    assert _longshore("fleet", "ports").exit_code == 0


def test_ports_of_the_fleet_show_the_way_through_the_proxy(file: Path) -> None:
    assert _longshore("fleet", "forwards", "--write").exit_code == 0
    rows = [line.split()[:6] for line in _longshore("fleet", "ports").stdout.splitlines()]
    assert ["pool", "official", "proxy", "win", "203.0.113.11", "15001"] in rows
    assert ["proxy", "win", "host", "desk-1", "10.0.1.21", "5986"] in rows
    assert "forward_port" in file.read_text()


def test_json_is_one_document() -> None:
    document = json.loads(_longshore("fleet", "forwards", "--json").stdout)
    assert [row["port"] for row in document["forwards"]] == [15001, 15000]
    assert document["commands"][0]["proxy"] == "win"
    assert document["written"] is None


def test_an_unknown_proxy_is_bad_input() -> None:
    result = _longshore("fleet", "forwards", "wim")
    assert result.exit_code == 2
    assert 'did you mean "win"' in result.stderr


def test_a_check_without_redis_says_so() -> None:
    assert _longshore("fleet", "forwards", "--check", "last").exit_code == 4


def test_a_file_keeps_its_mode_its_link_and_its_mark_of_utf_8(file: Path) -> None:
    real = file.with_name("real.yaml")
    real.write_bytes(b"\xef\xbb\xbf" + FLEET.encode())
    real.chmod(0o640)
    file.unlink()
    file.symlink_to(real)
    assert _longshore("fleet", "forwards", "--write").exit_code == 0
    assert file.is_symlink()
    assert real.read_bytes().startswith(b"\xef\xbb\xbfpools")
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in file.parent.iterdir()) == ["fleet.yaml", "real.yaml"]


def test_a_file_that_cannot_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="was left as it is"):
        replace_content(str(tmp_path / "absent" / "fleet.yaml"), b"x")
