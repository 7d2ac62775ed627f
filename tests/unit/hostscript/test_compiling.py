"""Actions to steps, steps to the script's text."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.application import Application
from config.errors import BadInputError
from config.fleet import Become
from tasks.actions.steps import steps_of
from tasks.hostscript import driver
from tasks.hostscript.compile import compile_script
from tests.support.hostscript import plain, require, steps

SUM = "a" * 64
EVERY_KIND: list[str | dict[str, Any]] = [
    "echo one",
    {"fetch": {"url": "http://x/y.tgz", "to": "/opt/y.tgz", "sha256": SUM}, "become": True},
    {"upload": {"from": "./site", "to": "/opt/site"}, "become": {"user": "app"}},
    {"upload": {"from": "./file", "to": "/opt/file", "mode": "0600"}},
    {"fetch": {"url": "http://x/y.tgz", "to": "/opt/y.tgz", "sha256": SUM}},
    {"unpack": {"archive": "/opt/y.tgz", "to": "/opt/y"}, "when": "true", "env": {"a": "b"}, "in": "/opt"},
    {"link": {"from": "/opt/current", "to": "/opt/y"}},
    {"service": {"name": "shop", "state": "restarted"}},
    {"check": {"http": "http://127.0.0.1:8080/health"}},
    {"check": {"tcp": "127.0.0.1:8080"}},
]


def test_a_script_of_every_action_passes_shellcheck() -> None:
    script = compile_script(steps(*EVERY_KIND), parameters=("version",))
    # Joined lines and names that only eval sees are what it can't follow.
    exclude = "--exclude=SC2034,SC2086,SC2154,SC2317,SC2015,SC2016,SC2089,SC2090,SC2329,SC2030,SC2031"
    done = subprocess.run(
        [require("shellcheck"), "--shell=sh", exclude, "-"], input=script, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout.decode()


def test_every_shell_file_passes_shellcheck() -> None:
    files = [str(path) for path in Path("tasks/hostscript/shell").rglob("*.sh")]
    assert len(files) > 10
    done = subprocess.run([require("shellcheck"), *files], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()


def test_a_typical_script_is_small() -> None:
    script = compile_script(steps(*(f"echo step {index}" for index in range(10))))
    assert len(script) < 4_608


def test_only_helpers_of_the_actions_in_use_are_shipped() -> None:
    script = compile_script(steps("echo one", {"link": {"from": "a", "to": "b"}})).decode()
    assert "__link() {" in script
    for helper in ("__fetch", "__as", "__check", "__when", "__swap", "__service"):
        assert f"{helper}() {{" not in script


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "version", "M"]),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    )
)
def test_any_text_value_reaches_the_command_unchanged(values: dict[str, str]) -> None:
    exports = driver._exports(values)  # noqa: SLF001 - the very text that a host evaluates
    shown = "".join(f'printf "%s\\0" "${{{name}}}"; ' for name in values)
    for shell in ("dash", "bash"):
        done = subprocess.run(
            [shell, "-c", f"{exports}{shown}:"],
            capture_output=True,
            check=True,
            env={"PATH": os.environ["PATH"]},
        )
        assert done.stdout == b"".join(value.encode() + b"\0" for value in values.values())


@pytest.mark.parametrize("name", ["PATH", "IFS", "__count", "UID", "a-b", "1a", "", "HOME", "a\n"])
def test_names_that_the_hosts_shell_needs_are_refused(name: str) -> None:
    with pytest.raises(BadInputError, match="choose another"):
        driver.check_environment({name: "x"})


def test_values_that_no_variable_can_hold_are_refused_without_showing_them() -> None:
    for value in ("secret\0", "secret" * 40_000):
        with pytest.raises(BadInputError) as caught:
            driver.check_environment({"token": value})
        assert "secret" not in str(caught.value)


def fill(text: str, values: Any) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{{ {name} }}}}", value).replace(f"{{{{ {name}|upper }}}}", value.upper())
    return text


def shop(*actions: dict[str, Any]) -> Application:
    return Application.model_validate({"application": "shop", "actions": list(actions)})


def test_fields_are_filled_in_and_quoted_and_commands_are_not() -> None:
    application = shop(
        {"run": "echo {{ version }} $version", "in": "/opt/{{ version }}", "env": {"V": "v{{ version }}"}},
        {"link": {"from": "/opt/current", "to": "/opt/{{ version }}"}},
    )
    run, link = steps_of(application, {"version": "1'; rm -rf /; '"}, render=fill)
    assert run.command == "eval 'echo {{ version }} $version'"
    assert run.directory == "'/opt/1'\\''; rm -rf /; '\\'''"
    assert run.environment == (("V", "'v1'\\''; rm -rf /; '\\'''"),)
    assert link.command == "__link '/opt/current' '/opt/1'\\''; rm -rf /; '\\'''"


def test_a_secret_in_a_field_becomes_a_variable_on_the_host() -> None:
    application = shop({"fetch": {"url": "http://u:{{ token }}@x/{{ version }}", "to": "/x", "sha256": SUM}})
    (step,) = steps_of(application, {"version": "1"}, secrets=("token",), render=fill)
    assert step.command.startswith("__fetch 'http://u:'\"${token}\"'@x/1' ")


@pytest.mark.parametrize(
    "action",
    [
        {"run": "true", "name": "with {{ token }}"},
        {"run": "true", "in": "/{{ token|upper }}"},
        {"upload": {"from": "{{ token }}", "to": "/x"}},
    ],
)
def test_a_secret_where_it_would_show_is_refused(action: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match=r"^actions\[0\]: .*secret"):
        steps_of(shop(action), {}, secrets=("token",), render=fill)


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ({"fetch": {"url": "u", "to": "t", "sha256": "123"}}, "64 hexadecimal"),
        ({"fetch": {"url": "u", "to": "t", "sha256": SUM, "mode": "rwx"}}, "octal"),
        ({"fetch": {"url": "u", "to": "t", "sha256": f"{SUM}\n"}}, "64 hexadecimal"),
        ({"upload": {"from": "f", "to": "t", "mode": "0644\n"}}, "octal"),
        ({"check": {"tcp": "127.0.0.1"}}, "host:port"),
        ({"check": {"tcp": "127.0.0.1:99999"}}, "host:port"),
    ],
)
def test_what_cannot_be_is_refused_by_action(action: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInputError, match=rf"^actions\[0\]: .*{said}"):
        steps(action)


def test_names_timeouts_and_users_follow_from_the_action() -> None:
    declared = steps(
        "\n./install.sh\nmore",
        {"run": "x" * 200, "become": False},
        {"check": {"tcp": "[::1]:80", "within": "20m"}, "become": {"user": "app"}},
        {"fetch": {"url": "u", "to": "/opt/shop.tgz", "sha256": SUM}, "timeout": "1500ms"},
        become=Become(user="deployer"),
    )
    assert [step.name for step in declared] == [
        "./install.sh",
        "x" * 71 + "…",
        "check [::1]:80",
        "fetch shop.tgz",
    ]
    assert [step.timeout for step in declared] == [600, 600, 1210, 2]
    assert [step.become for step in declared] == ["deployer", None, "app", "deployer"]
    assert [step.idempotent for step in declared] == [False, False, False, True]
    assert "__tcp '::1' 80" in declared[2].command


def test_a_marker_takes_enough_entropy() -> None:
    with pytest.raises(ValueError, match="8 random bytes"):
        driver.marker_from(b"short")


def test_render_gets_clear_values_only() -> None:
    seen: list[str] = []

    def render(text: str, values: Any) -> str:
        seen.extend(values.values())
        return plain(text, values)

    steps_of(shop({"run": "true", "in": "/"}), {"a": "1"}, secrets=("token",), render=render)
    assert set(seen) == {"1", "\ue0f0token\ue0f1"}


def test_no_function_of_the_shell_files_has_the_name_of_another() -> None:
    names: list[str] = []
    for path in Path("tasks/hostscript/shell").rglob("*.sh"):
        names += re.findall(r"^(\w+)\(\)", path.read_text(), re.MULTILINE)
    assert len(names) > 40
    assert sorted(names) == sorted(set(names))
    assert all(name.startswith("__") for name in names)
