"""docker-compose.yml, as far as it can be shown without a Docker engine."""

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flower.options
import pytest
from ruamel.yaml import YAML

from config.loading import load_fleet
from lab.compose.__main__ import HOSTS_OF_EACH_KIND, write_files
from lab.network_plan import PACKAGES, Node, Segment, plan_networks
from tests.support.privilege import needs

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "LONGSHORE_REDIS_PASSWORD": "planted-redis",
    "LONGSHORE_FLOWER_BASIC_AUTH": "somebody:planted-flower",
}


def _config(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    needs("docker-compose")
    clean = {name: value for name, value in os.environ.items() if name not in SECRETS}
    with tempfile.NamedTemporaryFile() as nothing:  # in place of a file .env that a person may have here
        return subprocess.run(
            ["docker-compose", "--env-file", nothing.name, "--profile", "lab", "config"],
            cwd=ROOT,
            env={**clean, **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    shown = _config(SECRETS)
    assert shown.returncode == 0, shown.stderr
    document: dict[str, Any] = YAML(typ="safe").load(shown.stdout)
    return document


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_it_asks_for_each_secret_and_has_a_default_for_none(name: str) -> None:
    lacking = {other: value for other, value in SECRETS.items() if other != name}
    refused = _config(lacking)
    assert refused.returncode != 0
    assert name in refused.stderr


def test_no_secret_stands_in_a_command(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert "planted" not in str(service.get("command", "")) + str(service.get("entrypoint", ""))


def test_flower_alone_is_published_and_on_loopback_only(compose: dict[str, Any]) -> None:
    published = {
        name: service["ports"] for name, service in compose["services"].items() if "ports" in service
    }
    assert published == {"flower": ["127.0.0.1:5555:5555/tcp"]}
    assert compose["services"]["flower"]["environment"]["FLOWER_BASIC_AUTH"] == "somebody:planted-flower"


def test_redis_is_append_only_evicts_nothing_and_has_a_password(compose: dict[str, Any]) -> None:
    configuration = compose["services"]["redis"]["command"][-1]
    for line in ("appendonly yes", "maxmemory-policy noeviction", "requirepass $$REDIS_PASSWORD"):
        assert line in configuration
    for worker in ("worker-official", "worker-self-hosted"):
        assert ":planted-redis@redis" in compose["services"][worker]["environment"]["LONGSHORE_REDIS_URL"]


def test_each_pool_has_its_own_keys(compose: dict[str, Any]) -> None:
    mounts = [compose["services"][f"worker-{pool}"]["volumes"] for pool in ("official", "self-hosted")]
    assert mounts == [["keys-official:/keys:ro"], ["keys-self-hosted:/keys:ro"]]


def test_the_lab_has_the_same_hosts_and_addresses_as_the_topology(compose: dict[str, Any]) -> None:
    plan = plan_networks(direct=HOSTS_OF_EACH_KIND, private=HOSTS_OF_EACH_KIND, inside=HOSTS_OF_EACH_KIND)
    for node in plan.nodes.values():
        service = {"official": "worker-official", "inside": "worker-self-hosted"}.get(node.name, node.name)
        if service != "redis":  # on one machine both pools reach Redis over a network of its own
            assert _legs(compose["services"][service]) == _expected(node), node.name
    assert compose["services"]["bastion"]["sysctls"] == {"net.ipv4.ip_forward": "0"}


def _legs(service: dict[str, Any]) -> dict[str, str]:
    segments: tuple[Segment, ...] = ("public", "private")
    return {
        name: service["networks"][name]["ipv4_address"] for name in segments if name in service["networks"]
    }


def _expected(node: Node) -> dict[str, str]:
    return dict(node.legs)


def test_every_command_exists(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        words = [*service.get("entrypoint", ()), *service.get("command", ())]
        if name != "redis":  # its program comes with its own image
            _check_command(words)


def _check_command(words: Sequence[str]) -> None:
    match list(words):
        case ["longshore", *rest]:
            _check_longshore(rest)
        case ["celery", "-A", application, plugin, *options]:
            assert hasattr(importlib.import_module(application), "app")
            assert plugin in {
                entry.name for entry in importlib.metadata.entry_points(group="celery.commands")
            }
            asked_for = {option.removeprefix("--").partition("=")[0] for option in options}
            assert asked_for <= set(flower.options.options)
        case ["python", "-m", module, *options]:
            assert importlib.util.find_spec(module)
            defined = _help(module, "--help")
            assert all(option in defined for option in options if option.startswith("--"))
        case ["sh", script, *_]:
            assert (ROOT / Path(script).relative_to("/opt/longshore")).is_file()
        case _:
            pytest.fail(f"nobody knows this command: {words}")


def _check_longshore(rest: Sequence[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module = project["scripts"]["longshore"].partition(":")[0]
    assert importlib.util.find_spec(module)
    subcommand = [word for word in rest[:1] if not word.startswith("-")]
    defined = _help("producer", *subcommand, "--help")
    assert all(option in defined for option in rest if option.startswith("--"))


def _help(module: str, *words: str) -> str:
    shown = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def test_the_labs_files_are_a_fleet_with_keys_for_each_pool_and_settings_that_sshd_takes(
    tmp_path: Path,
) -> None:
    needs("sshd")
    state, official, self_hosted = (tmp_path / name for name in ("state", "official", "self-hosted"))
    write_files(state, official, self_hosted, os.geteuid())
    fleet = load_fleet(state / "fleet.yaml")
    assert set(fleet.clusters) == {"direct", "private", "inside", "stranded"}
    keys = [(directory / "deploy").read_bytes() for directory in (official, self_hosted)]
    assert keys[0] != keys[1]
    for settings in state.glob("hosts/*/sshd_config"):
        subprocess.run(["/usr/sbin/sshd", "-t", "-f", str(settings)], check=True)
    plan = plan_networks(direct=2, private=2, inside=2)
    assert (
        (state / "package.txt")
        .read_text()
        .startswith(f"http://{plan.nodes[PACKAGES].address}/shop-1.0.tar.gz ")
    )
