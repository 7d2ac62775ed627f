import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from producer.cli import main
from producer.cli.root import LazyGroup

FLEET = """\
pools:
  official: {kind: official}
  frankfurt: {kind: self-hosted}
credentials:
  deploy: {user: deploy, key_file: ~/.ssh/deploy}
clusters:
  web:
    os: linux
    pool: official
    credential: deploy
    hosts: {web-1: 10.0.0.11, web-2: 10.0.0.12, web-3: 10.0.0.13}
  plant:
    os: linux
    pool: frankfurt
    credential: deploy
    hosts: {plant-1: 10.1.0.11}
"""
SHOP = """\
application: shop
parameters:
  version: {required: true}
  token: {secret: {env: SHOP_TOKEN}}
actions:
  - run: ./install.sh "$version"
    name: install
rollout: {batches: [1, "100%"]}
"""
NEVER_CONNECTED = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good fleet and application; a Redis that is not there would end a command with 4."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LONGSHORE_REDIS_URL", NEVER_CONNECTED)
    monkeypatch.delenv("LONGSHORE_RECORD_URL", raising=False)
    monkeypatch.delenv("LONGSHORE_FLEET", raising=False)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "shop.yaml").write_text(SHOP)
    return tmp_path


def _longshore(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify"], "Missing argument 'TARGET...'"),
        (["verify", "wbe"], 'did you mean "web"'),
        (["verify", "web", "--fleet", "absent.yaml"], "absent.yaml"),
        (["deploy", "shop.yaml"], "Missing option '--to'"),
        (["deploy", "absent.yaml", "--to", "web"], "absent.yaml"),
        (["deploy", "shop.yaml", "--to", "web"], 'The parameter "version" is required'),
        (["deploy", "shop.yaml", "--to", "web", "--set", "version"], "write --set NAME=VALUE"),
        (["deploy", "shop.yaml", "--to", "web", "--set", "=1"], "write --set NAME=VALUE"),
        (["deploy", "shop.yaml", "--to", "web", "--set", "version=1", "--set", "version=2"], "set twice"),
        (["deploy", "shop.yaml", "--to", "web", "--set", "version=1", "--set", "x=2"], 'no parameter "x"'),
        (["deploy", "shop.yaml", "--to", "web", "--set", "version=1", "--set", "token=t"], "is a secret"),
        (["deploy", "shop.yaml", "--to", "web", "--to", "plant", "--set", "version=1"], "one cluster"),
        (["plan", "shop.yaml", "--to", "web"], 'The parameter "version" is required'),
        (["deplyo"], "No such command 'deplyo'"),
        (["worker"], "Missing option '--pool'"),
        (["worker", "--pool", "two words"], '"two words" is no name of a pool'),
        (["worker", "--pool", "official\n"], "is no name of a pool"),
        (["worker", "--pool", "official", "--concurrency", "0"], "0 is not in the range"),
        (["runs", "--limit", "0"], "0 is not in the range"),
        (["logs", "r", "--raw", "--json"], "exclude each other"),
        (["fleet", "import", "chef", "x"], "'chef' is not one of"),
        (["fleet", "import", "ansible", "absent.ini", "-o", "new.yaml"], "absent.ini"),
        (["fleet", "import", "ansible", "shop.yaml", "-o", "-"], "expected at least one host, found none"),
        (["fleet", "import", "openssh", "shop.yaml", "-o", "-"], "expected at least one host, found none"),
    ],
)
def test_bad_input_is_told_and_ends_with_2_before_anything_is_sent(words: list[str], said: str) -> None:
    result = _longshore(*words)
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert result.stdout == ""


def test_everything_that_is_wrong_in_a_file_is_told_with_its_place(folder: Path) -> None:
    (folder / "fleet.yaml").write_text(
        FLEET.replace("pool: official", "pool: offical").replace("10.0.0.12", "1:")
    )
    result = _longshore("verify", "web")
    assert result.exit_code == 2
    assert "fleet.yaml:9:" in result.stderr
    assert "offical" in result.stderr
    assert "clusters.web.hosts.web-2" in result.stderr


def test_without_any_fleet_file_the_error_says_how_to_get_one(folder: Path) -> None:
    (folder / "fleet.yaml").unlink()
    result = _longshore("verify", "web")
    assert result.exit_code == 2
    assert "longshore fleet import" in result.stderr


def test_a_fleet_is_looked_for_here_before_the_setting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = folder / "elsewhere.yaml"
    elsewhere.write_text(FLEET.replace("web-3", "far-3"))
    monkeypatch.setenv("LONGSHORE_FLEET", str(elsewhere))
    plan = ("plan", "shop.yaml", "--to", "web", "--set", "version=1", "--json")
    assert "web-3" in json.loads(_longshore(*plan).stdout)["hosts"]
    (folder / "fleet.yaml").unlink()
    assert "far-3" in json.loads(_longshore(*plan).stdout)["hosts"]


def test_a_wrong_setting_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGSHORE_RECORD_TTL", "soon")
    result = _longshore("runs")
    assert result.exit_code == 2
    assert "LONGSHORE_RECORD_TTL" in result.stderr


def test_a_plan_needs_no_redis_and_names_secrets_by_their_reference() -> None:
    result = _longshore("plan", "shop.yaml", "--to", "web", "--set", "version=1.4")
    assert result.exit_code == 0
    assert "shop 1.4 to 3 hosts in 2 batches" in result.stdout
    assert "token=(secret, from the worker's variable SHOP_TOKEN)" in result.stdout
    assert "install" in result.stdout


def test_a_plan_as_json_is_one_document() -> None:
    result = _longshore("plan", "shop.yaml", "--to", "web", "--set", "version=1.4", "--json")
    plan = json.loads(result.stdout)
    assert plan["batches"] == [["web-1"], ["web-2", "web-3"]]
    assert plan["secrets"] == {"token": {"env": "SHOP_TOKEN", "file": None}}


def test_ports_are_a_table_and_rules() -> None:
    result = _longshore("fleet", "ports")
    assert result.exit_code == 0
    rows = [line.split()[:6] for line in result.stdout.splitlines()]
    assert ["pool", "frankfurt", "host", "plant-1", "10.1.0.11", "22"] in rows
    assert "table inet filter {" in result.stdout
    document = json.loads(_longshore("fleet", "ports", "--json").stdout)
    assert {row["port"] for row in document["connections"]} == {1, 22}
    assert document["nftables"]


INVENTORY = "[web]\nweb[1:2].example.com ansible_user=ops\nlost ansible_connection=docker\n"


def test_an_imported_fleet_loads_and_is_not_overwritten(folder: Path) -> None:
    (folder / "hosts.ini").write_text(INVENTORY)
    first = _longshore("fleet", "import", "ansible", "hosts.ini", "-o", "new.yaml")
    assert (first.exit_code, first.stdout) == (0, "Wrote new.yaml: 1 cluster, 2 hosts.\n")
    assert "lost" in first.stderr
    written = (folder / "new.yaml").read_text()
    assert (
        _longshore("plan", "shop.yaml", "--to", "web", "--set", "version=1", "--fleet", "new.yaml").exit_code
        == 0
    )
    again = _longshore("fleet", "import", "ansible", "hosts.ini", "-o", "new.yaml", "--user", "other")
    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert (folder / "new.yaml").read_text() == written
    forced = _longshore("fleet", "import", "ansible", "hosts.ini", "-o", "new.yaml", "--force", "--json")
    assert json.loads(forced.stdout)["written"] == "new.yaml"


def test_a_fleet_can_be_imported_to_standard_output(folder: Path) -> None:
    (folder / "config").write_text("Host web-1\n  HostName 10.0.0.11\n  User ops\n")
    result = _longshore("fleet", "import", "openssh", "config", "-o", "-")
    assert "10.0.0.11" in result.stdout
    assert "Wrote" not in result.output
    document = json.loads(_longshore("fleet", "import", "openssh", "config", "-o", "-", "--json").stdout)
    assert document["written"] is None
    assert document["fleet"]["clusters"]["imported"]["hosts"] == {"web-1": "10.0.0.11"}
    assert any("no key is named" in note for note in document["left_out"])


def test_a_worker_is_run_with_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def run_workers(*arguments: object) -> int:
        asked.append(arguments)
        return 7

    monkeypatch.setattr("producer.cli.worker.run_workers", run_workers)
    words = ["worker", "--pool", "a", "--pool", "b", "--pool", "a", "--concurrency", "4", "--processes", "2"]
    assert _longshore(*words).exit_code == 7
    assert asked == [(("a", "b"), 4, 2)]


def _commands(group: click.Group, *path: str) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append(((*path, name), command))
        if isinstance(command, click.Group):
            found += _commands(command, *path, name)
    return found


def test_the_help_that_is_there_at_once_says_what_the_commands_say() -> None:
    assert isinstance(main, LazyGroup)
    lines = {(name,): line for name, (_, line) in main.lazy.items()}
    own = {path: command.short_help for path, command in _commands(main) if len(path) == 1}
    assert lines == own


def test_what_does_not_work_yet_stays_out_of_the_help() -> None:
    said = _longshore("--help").stdout
    assert not {"approve"} & set(said.split())


def test_every_command_that_prints_for_people_speaks_json() -> None:
    silent = {("worker",), ("fleet",)}
    without = [
        path
        for path, command in _commands(main)
        if path not in silent and "--json" not in {word for each in command.params for word in each.opts}
    ]
    assert without == []


def test_the_version_is_told() -> None:
    assert _longshore("--version").stdout.startswith("longshore ")


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from producer.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'celery', 'kombu', 'redis', 'pydantic', 'rich', 'fabric', 'paramiko', 'jinja2'}\n"
        "sys.exit(repr(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_plan_names_hosts_that_go_without_a_check_of_their_certificate(folder: Path) -> None:
    admin = "  admin: {user: a, password: {env: P}}\nclusters:\n"
    desk = "  desk: {os: windows, pool: official, credential: admin, hosts: {d: {address: h, winrm: W}}}\n"
    careless = FLEET.replace("clusters:\n", admin) + desk.replace("W", "{ignore_certificate: true}")
    (folder / "fleet.yaml").write_text(careless)
    plan = ("plan", "shop.yaml", "--set", "version=1", "--to")
    result = _longshore(*plan, "desk")
    assert result.exit_code == 0
    assert "Warning: d: any certificate is taken" in result.stderr
    document = json.loads(_longshore(*plan, "desk", "--json").stdout)
    assert [each.split(":")[0] for each in document["warnings"]] == ["d"]
    web = _longshore(*plan, "web", "--json")
    assert (web.stderr, json.loads(web.stdout)["warnings"]) == ("", [])
