"""The reference pages: their examples load, and they leave no field out."""

import re
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell
from pydantic import BaseModel

from config.application import (
    Action,
    Application,
    Check,
    Fetch,
    Link,
    Parameter,
    Rollout,
    Service,
    Unpack,
    Upload,
)
from config.fleet import Cluster, Credential, Fleet, Host, Pool, Proxy, SecretReference, WinRM
from config.forwards import commands, forwards
from config.importing.ansible import import_ansible
from config.importing.imported import render_fleet
from config.loading import load_application, load_fleet
from tests.support.files import DESIGN_APPLICATION, DESIGN_FLEET, written

DOCS = Path(__file__).parents[2] / "docs"
FLEET_PAGE = DOCS / "reference" / "fleet.md"
APPLICATION_PAGE = DOCS / "reference" / "application.md"
WINDOWS_HOST_PAGE = DOCS / "how-to" / "prepare-a-windows-host.md"
WINDOWS_PROXY_PAGE = DOCS / "how-to" / "prepare-a-windows-proxy.md"
IMPORT_PAGE = DOCS / "how-to" / "import-an-inventory.md"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.mark.parametrize(
    "text",
    [text for page in (FLEET_PAGE, WINDOWS_HOST_PAGE, WINDOWS_PROXY_PAGE) for text in blocks(page, "yaml")],
)
def test_every_fleet_that_is_shown_loads(tmp_path: Path, text: str) -> None:
    assert load_fleet(written(tmp_path, "fleet.yaml", text)).clusters


@pytest.mark.parametrize("text", blocks(APPLICATION_PAGE, "yaml"))
def test_every_application_of_the_reference_loads(tmp_path: Path, text: str) -> None:
    assert load_application(written(tmp_path, "app.yaml", text)).actions


def test_the_reference_begins_with_the_examples_of_the_design() -> None:
    assert blocks(FLEET_PAGE, "yaml")[0] == DESIGN_FLEET
    assert blocks(APPLICATION_PAGE, "yaml")[0] == DESIGN_APPLICATION


@pytest.mark.parametrize(
    ("page", "models"),
    [
        (FLEET_PAGE, [Fleet, Pool, Credential, SecretReference, Proxy, Cluster, Host, WinRM]),
        (
            APPLICATION_PAGE,
            [Application, Parameter, Action, Fetch, Upload, Unpack, Link, Service, Check, Rollout],
        ),
    ],
)
def test_every_field_is_documented(page: Path, models: list[type[BaseModel]]) -> None:
    text = page.read_text(encoding="utf-8")
    fields = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert {field for field in fields if f"`{field}`" not in text} == set()


def test_the_problems_shown_in_the_reference_are_what_a_person_sees(tmp_path: Path) -> None:
    wrong = DESIGN_FLEET.replace("port: 2222", "port: 70000").replace(
        "os: windows\n    pool: official", "os: windows\n    pool: offical"
    )
    with pytest.raises(Exception, match="port from 1") as caught:
        load_fleet(written(tmp_path, "fleet.yaml", wrong))
    (shown,) = blocks(FLEET_PAGE, "text")
    assert str(caught.value).replace(f"{tmp_path}/", "") + "\n" == shown


def test_the_import_of_the_how_to_gives_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "hosts.ini", blocks(IMPORT_PAGE, "ini")[0])
    text = render_fleet(import_ansible("hosts.ini", default_user="me"))
    assert text == blocks(IMPORT_PAGE, "yaml")[0]
    assert load_fleet(written(tmp_path, "fleet.yaml", text)).clusters


def test_a_windows_proxy_is_set_up_with_the_commands_that_are_printed_for_it(tmp_path: Path) -> None:
    (text,) = blocks(WINDOWS_PROXY_PAGE, "yaml")
    fleet = load_fleet(written(tmp_path, "fleet.yaml", text))
    (printed,) = commands(fleet, forwards(fleet))
    setup, check, remove = (block.splitlines() for block in blocks(WINDOWS_PROXY_PAGE, "powershell"))
    assert setup == list(printed.setup)
    assert set(check) < set(printed.check)
    assert remove == list(printed.remove)


@pytest.mark.parametrize(
    "text",
    [text for page in (WINDOWS_HOST_PAGE, WINDOWS_PROXY_PAGE) for text in blocks(page, "powershell")],
)
def test_the_powershell_that_is_shown_is_powershell(text: str) -> None:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    assert not parser.parse(text.encode()).root_node.has_error
