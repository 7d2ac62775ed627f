"""What decides takes time, randomness and facts as arguments; only tests import tests, or the bench."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("config", "workers", "tasks", "producer", "lab", "bench", "examples")
PURE_TASKS = ("batches", "outcomes", "plan", "planning", "actions", "hostscript", "gates", "waiting")
READS_THE_ENVIRONMENT = {ROOT / "config" / "settings.py"}
IMPURE_MODULES = {"time", "random", "secrets", "uuid", "platform", "getpass"}
IMPURE_CALLS = {
    "os.environ",
    "os.environb",
    "os.getenv",
    "os.urandom",
    "os.getpid",
    "datetime.now",
    "datetime.utcnow",
}
IMPURE_CALLS |= {"datetime.today", "date.today", "Path.home", "os.getcwd"}


def imports(source: str) -> set[str]:
    """Names of the top-level packages that a module imports, within functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module).split(".")[0])
    return found


def pure_modules() -> list[Path]:
    config = set((ROOT / "config").rglob("*.py")) - READS_THE_ENVIRONMENT
    tasks = {
        path
        for path in (ROOT / "tasks").rglob("*.py")
        if path.relative_to(ROOT / "tasks").parts[0] in PURE_TASKS
    }
    tasks |= {path for path in (ROOT / "tasks").glob("*.py") if path.stem in PURE_TASKS}
    return sorted(config | tasks)


def impurities(source: str) -> list[str]:
    """Imports and attributes that read the clock, chance or the surroundings."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in IMPURE_MODULES]
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found += sorted(names & IMPURE_CALLS)
            if (node.module or "").split(".")[0] in IMPURE_MODULES:
                found.append(str(node.module))
        elif isinstance(node, ast.Attribute):
            # datetime.datetime.now is datetime.now, however the module was imported.
            tail = ".".join(ast.unparse(node).split(".")[-2:])
            if tail in IMPURE_CALLS:
                found.append(tail)
    return found


@pytest.mark.parametrize("module", pure_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_deciding_module_reads_no_clock_and_no_environment(module: Path) -> None:
    assert impurities(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import monotonic",
        "import random as r",
        "import os\nos.environ['A']",
        "from os import environ",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime\ndatetime.now(tz=None)",
        "import os\nos.getenv('A')",
    ],
)
def test_the_walk_finds_what_it_looks_for(source: str) -> None:
    assert impurities(source)


def test_the_walk_sees_the_modules_that_decide() -> None:
    names = {str(path.relative_to(ROOT)) for path in pure_modules()}
    assert {
        "config/loading.py",
        "config/importing/ansible.py",
        "tasks/planning.py",
        "tasks/outcomes.py",
    } <= names
    assert "config/settings.py" not in names


@pytest.mark.parametrize("package", CODE)
def test_nothing_imports_tests_and_nothing_but_tests_imports_the_bench(package: str) -> None:
    forbidden = {"tests"} if package == "bench" else {"tests", "bench"}
    found = {
        str(path.relative_to(ROOT)): unwanted
        for path in (ROOT / package).rglob("*.py")
        if (unwanted := imports(path.read_text(encoding="utf-8")) & forbidden)
    }
    assert found == {}


def test_the_walk_finds_imports() -> None:
    source = "import tests.support.ssh as a\ndef late():\n    from bench.run import run\nfrom . import near\n"
    assert imports(source) == {"tests", "bench"}
    assert {path.name for path in ROOT.iterdir() if list(path.glob("*.py"))} - {"tests"} <= set(CODE)
