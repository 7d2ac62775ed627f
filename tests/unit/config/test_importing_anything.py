"""Whatever is imported, the fleet that is written loads, or the file is refused with words."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from config.errors import BadInputError
from config.importing.ansible import import_ansible
from config.importing.imported import Imported, render_fleet
from config.importing.openssh import import_openssh
from config.loading import load_fleet

WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12)
NAMES = st.one_of(
    WORDS,
    st.sampled_from(
        ["a", "b", "all", "web", "official", "_x", "a b", "w[1:3]", "x" * 200, "fd00::1", "[::1]:22"]
    ),
)
ODD_VALUES = """\
winrm|ssh|local|yes|true|no|root|10.0.0.1|22|-J b|~/.ssh/k|-o ProxyCommand='ssh -W %h:%p b'|{{ x }}|1e3|0x16\
|null|~|a, b|# c|'|\u2028"""
VALUES = st.one_of(WORDS, st.sampled_from([*ODD_VALUES.split("|"), "9" * 5000]))
VARIABLES = st.sampled_from(
    [
        *(f"ansible_{name}" for name in ("host", "port", "user", "password", "become", "become_user")),
        *(f"ansible_{name}" for name in ("connection", "ssh_private_key_file", "ssh_common_args")),
        "other",
    ]
)
ASSIGNED = st.lists(st.builds("{}={}".format, VARIABLES, VALUES), max_size=4).map(" ".join)
INI = st.lists(
    st.one_of(
        WORDS,
        st.builds("[{}]".format, NAMES),
        st.builds("[{}:{}]".format, NAMES, st.sampled_from(["children", "vars", "hosts"])),
        st.builds("{}={}".format, VARIABLES, VALUES),
        st.builds("{} {}".format, NAMES, ASSIGNED),
    ),
    max_size=12,
).map("\n".join)

SCALARS = st.one_of(VALUES, st.text(max_size=3), st.integers(), st.booleans(), st.none(), st.floats())
ODD = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(NAMES, SCALARS, max_size=2))
OWN = st.one_of(st.dictionaries(VARIABLES, ODD, max_size=4), ODD)


def _group(inside: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.fixed_dictionaries(
        {},
        optional={
            "hosts": st.one_of(st.dictionaries(NAMES, OWN, max_size=3), ODD),
            "vars": OWN,
            "children": st.one_of(st.dictionaries(NAMES, inside, max_size=2), ODD),
            "hostz": ODD,
        },
    )


GROUPS = st.recursive(ODD, _group, max_leaves=8)
# JSON is YAML, with escapes for every character, halves of some among them.
YAML = st.one_of(st.dictionaries(NAMES, GROUPS, max_size=3), ODD).map(json.dumps)

OPTIONS = st.sampled_from(
    ["HostName", "Port", "User", "IdentityFile", "ProxyJump", "ProxyCommand", "Include", "ForwardAgent", ""]
)
OPENSSH = st.lists(
    st.one_of(
        WORDS,
        st.builds("{} {}".format, st.sampled_from(["Host", "Host", "Match"]), st.lists(NAMES).map(" ".join)),
        st.builds("{}{}{}".format, OPTIONS, st.sampled_from([" ", "=", " = "]), st.one_of(VALUES, NAMES)),
    ),
    max_size=12,
).map("\n".join)


def _loads(read: Callable[..., Imported], name: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, fleet = Path(folder, name), Path(folder, "fleet.yaml")
        path.write_text(text, encoding="utf-8")
        try:
            imported = read(path, default_user="me")
        except BadInputError as refused:
            assert str(refused).startswith(str(path))  # noqa: PT017 - what follows is for what is not refused
            return
        fleet.write_text(render_fleet(imported), encoding="utf-8")
        assert any(cluster.hosts for cluster in load_fleet(fleet).clusters.values())


@given(INI)
@example("w1 ansible_connection=winrm ansible_become=yes")
def test_whatever_is_imported_of_an_ini_inventory_loads(text: str) -> None:
    _loads(import_ansible, "hosts.ini", text)


@given(YAML)
def test_whatever_is_imported_of_a_yaml_inventory_loads(text: str) -> None:
    _loads(import_ansible, "hosts.yml", text)


@given(OPENSSH)
def test_whatever_is_imported_of_an_openssh_configuration_loads(text: str) -> None:
    _loads(import_openssh, "config", text)


@pytest.mark.parametrize("name", ["hosts.ini", "hosts.yml", "hosts"])
@given(WORDS)
def test_any_line_is_read_or_refused(name: str, text: str) -> None:
    _loads(import_ansible, name, text)
