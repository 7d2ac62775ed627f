"""The PowerShell units as text: that they parse, and use nothing that PowerShell 5.1 lacks."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell

from tasks.hostscript import windows
from tasks.hostscript.driver import HostRun, Invocation, Token

UNITS = sorted((Path(windows.__file__).parent / "powershell").glob("*.ps1"))
LATER_THAN_5_1 = {"pipeline_chain_tail"}
"""What came with PowerShell 7: ``&&`` and ``||``. The grammar doesn't know ``?:`` and ``??`` either."""
SEVEN = [b"Get-Item a && Get-Item b", b"$a ? 1 : 2", b"$x = $a ?? 2"]
WHERE = HostRun(run_id="r1", marker="ls-0011223344556677", token=Token(epoch=1, number=2))


def _parsed(text: bytes) -> tree_sitter.Node:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    return parser.parse(text).root_node


def _nodes(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.children:
        yield from _nodes(child)


def _wrong(text: bytes) -> list[str]:
    return [
        f"line {node.start_point.row + 1}: {(node.text or b'').decode()[:60]!r}"
        for node in _nodes(_parsed(text))
        if node.type == "ERROR" or node.is_missing or node.type in LATER_THAN_5_1
    ]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_parses(path: Path) -> None:
    assert _wrong(path.read_bytes()) == []


@pytest.mark.parametrize("text", [b"if ($a) { exit 1", b"$x = @(1, 2", b"'open", *SEVEN])
def test_a_mistake_would_be_found(text: bytes) -> None:
    assert _wrong(text)


@pytest.mark.parametrize("name", sorted(set(windows.unit_names()) | {"bootstrap", "pipe"}))
def test_every_unit_that_is_named_has_its_file(name: str) -> None:
    assert windows.unit_text(name)


def test_no_unit_is_left_out() -> None:
    assert {path.stem for path in UNITS} == {*windows.unit_names(), "bootstrap", "pipe"}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_only_calls_functions_that_are_shipped_with_it_or_are_windows_own(path: Path) -> None:
    mine = {name for each in UNITS for name in _functions(each)}
    called = {
        (node.text or b"").decode()
        for node in _nodes(_parsed(path.read_bytes()))
        if node.type == "command_name" and b"-" in (node.text or b"")
    }
    known = mine | COMMANDS
    assert called <= known, called - known


COMMANDS = {
    *("Add-Type", "ConvertFrom-Json", "ConvertTo-Json", "ForEach-Object", "Where-Object", "Sort-Object"),
    *("Select-Object", "Measure-Object", "New-Object", "New-Item", "Get-Item", "Get-ChildItem", "Test-Path"),
    *("Get-Process", "Stop-Process", "Start-Sleep", "Get-CimInstance", "Get-CimClass", "Invoke-CimMethod"),
    *("Invoke-WebRequest", "Get-Service", "Start-Service", "Stop-Service", "Restart-Service", "Set-Service"),
    *("Get-Module", "Import-Module", "Start-Website", "Stop-Website", "Start-WebAppPool", "Stop-WebAppPool"),
    *("Restart-WebAppPool", "Set-StrictMode"),
}
"""Commands that come with Windows PowerShell 5.1, or with IIS."""


def _functions(path: Path) -> set[str]:
    return {
        (child.text or b"").decode()
        for node in _nodes(_parsed(path.read_bytes()))
        if node.type == "function_statement"
        for child in node.children
        if child.type == "function_name"
    }


def _taken_apart(invocation: Invocation) -> tuple[str, str, dict[str, object]]:
    header, rest = invocation.stdin.split(b"\n", 1)
    _, script, data = header.split()
    encoded = invocation.command.rsplit(" ", 1)[1]
    assert len(rest) == int(script) + int(data)
    document = json.loads(rest[int(script) :])
    return base64.b64decode(encoded).decode("utf-16-le"), rest[: int(script)].decode(), document


@pytest.mark.parametrize(
    "value", ["plain", "'; exit 1 #", '$(calc) `n "x"', "äöü 漢字 \U0001f600", "#unit base\n"]
)
def test_a_value_travels_as_data_and_stands_in_no_text(value: str) -> None:
    script = windows.WindowsScript([])

    invocation = script.run(WHERE, {"secret": value})

    bootstrap, text, data = _taken_apart(invocation)
    assert data["environment"] == [{"name": "secret", "value": value}]
    assert value not in bootstrap
    assert text == _taken_apart(script.run(WHERE, {"secret": "other"}))[1]
    assert len(invocation.command) < 8191


def test_only_what_a_mode_needs_is_shipped() -> None:
    _, text, _ = _taken_apart(windows.WindowsScript([]).probe(WHERE))

    units = [line.removeprefix("#unit ") for line in text.splitlines() if line.startswith("#unit ")]
    assert units == ["base", "process", "state"]


@pytest.mark.parametrize(
    "invocation",
    [
        windows.WindowsScript([]).run(WHERE, {}),
        windows.WindowsScript([]).resume(WHERE, {}, first_step=2),
        windows.WindowsScript([]).attach(WHERE),
        windows.WindowsScript([]).probe(WHERE),
        windows.WindowsScript([]).stop(WHERE, grace=1),
        windows.WindowsScript([]).put(WHERE, "1.file", size=1, sha256="0" * 64),
        windows.verification(".longshore", detached=True),
    ],
    ids=["run", "resume", "attach", "probe", "stop", "put", "verify"],
)
def test_what_a_modes_units_read_is_in_its_data(invocation: Invocation) -> None:
    _, text, data = _taken_apart(invocation)
    units = dict(zip(*[iter(re.split(r"^#unit (\S+)\n", text, flags=re.MULTILINE)[1:])] * 2, strict=True))
    # Every mode begins with its name and its places; only those that enter the run have a token.
    own = "".join(unit for name, unit in units.items() if name != "base")
    read = {"mode", "work", "run", "marker"} | set(re.findall(r"\$Ls\.data\.(\w+)", own))
    assert read <= set(data), "in strict mode PowerShell ends at a field that isn't there"
    assert "Enter-Run" not in own or {"epoch", "number"} <= set(data)
