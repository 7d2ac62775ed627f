import inspect
from collections.abc import Callable

import pytest

from config.causes import Cause
from tasks.outcomes import Outcome
from tasks.record import keys
from tests.support import reference
from tests.support.plans import target

CODES = {0, 1, 2, 3, 4, 130, 141}


@pytest.mark.parametrize(
    ("page", "name", "made"),
    [
        ("commands.md", "commands", reference.commands),
        ("exit-codes-and-causes.md", "causes", reference.causes),
    ],
)
def test_a_page_says_what_the_code_says(page: str, name: str, made: Callable[[], str]) -> None:
    """Written anew with ``python -m tests.support.reference``."""
    assert reference.part(page, name).strip() == made().strip()


def test_every_exit_code_and_outcome_is_explained() -> None:
    page = (reference.REFERENCE / "exit-codes-and-causes.md").read_text()
    rows = {line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("|")}
    assert {str(code) for code in CODES} | set(Outcome) | set(Cause) <= rows


def test_every_key_of_the_record_has_its_row() -> None:
    page = (reference.REFERENCE / "record.md").read_text()
    rows = {line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("| `")}
    constants = {value for name, value in vars(keys).items() if name.isupper()}
    made = {
        keys.run("{id}"),
        keys.hosts("{id}"),
        keys.status("{id}"),
        keys.results("{id}"),
        keys.events("{id}"),
        keys.deferred("{id}"),
        keys.release("{id}"),
        keys.log("{id}", "{host}"),
        keys.log_tail("{id}", "{host}"),
    }
    machine = target("web-1")
    of_machine = {
        keys.lease("{id}", "deployment", machine).replace(keys.identity(machine), "{machine}"),
        keys.lease("{id}", "verification", machine).replace(machine.name, "{host}"),
        keys.queue("deployment", machine).replace(keys.identity(machine), "{machine}"),
        keys.releases(machine, "{application}").replace(keys.identity(machine), "{machine}"),
    }
    assert constants | made | of_machine <= rows
    own = {name for name, value in vars(keys).items() if inspect.isfunction(value)}
    known = {"run", "hosts", "status", "results", "events", "log", "log_tail", "lease", "queue"}
    known |= {"deferred", "release", "releases"}
    assert own == known | {"identity", "proxy_identity"}, "a new key wants a row, and a line here"
