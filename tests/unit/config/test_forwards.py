"""Which forwarded ports hosts get, and what a Windows proxy is told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.causes import Cause
from config.errors import BadInputError
from config.fleet import Fleet
from config.fleet_edit import with_forward_ports
from config.forwards import Forward, commands, forwards, verdicts
from config.loading import load_fleet
from config.positions import read_yaml
from tests.support.files import written

FLEET = """\
# the fleet
pools:
  official: {kind: official, addresses: [198.51.100.7, 2001:db8::/64]}
  plant: {kind: self-hosted}
credentials:
  admin: {user: Administrator, password: {env: P}}
  key: {user: deploy, key_file: k}
proxies:
  bastion: {os: linux, address: 203.0.113.10, credential: key}
  win: {os: windows, address: 203.0.113.11, ports: 15000-15004}
  inner: {os: windows, address: "fd00::9", proxy: bastion}
clusters:
  desk:
    os: windows
    pool: official
    credential: admin
    proxy: win
    hosts:
      desk-1: 10.0.1.21     # short
      desk-2: {address: 10.0.1.22, tags: {zone: b}}  # in one line
      desk-3:
        address: "fd00::23" # over several
        port: 5999
      desk-4: {address: desk-4.example, forward_port: 15001}
  line:
    os: windows
    pool: plant
    credential: admin
    proxy: inner
    winrm: {scheme: http}
    hosts: {line-1: 10.0.2.21}
  web:
    os: linux
    pool: official
    credential: key
    proxy: win
    hosts:
      web-1: 10.0.3.21
"""


def fleet_of(hosts: dict[str, int | None], ports: str = "15000-15019") -> Fleet:
    """One Windows proxy with these hosts behind it, each with the port that it has or none."""
    return Fleet.model_validate(
        {
            "pools": {"official": {"kind": "official"}},
            "credentials": {"admin": {"user": "a", "password": {"env": "P"}}},
            "proxies": {"win": {"os": "windows", "address": "203.0.113.11", "ports": ports}},
            "clusters": {
                "desk": {
                    "os": "windows",
                    "pool": "official",
                    "credential": "admin",
                    "proxy": "win",
                    "hosts": {
                        name: {"address": f"{name}.example", "forward_port": port}
                        for name, port in hosts.items()
                    },
                }
            },
        }
    )


def ports_of(fleet: Fleet) -> dict[str, int]:
    return {row.host: row.port for row in forwards(fleet)}


@pytest.fixture
def loaded(tmp_path: Path) -> Fleet:
    return load_fleet(written(tmp_path, "fleet.yaml", FLEET), forwards_pending=True)


NAMES = st.integers(0, 99).map("h{}".format)
PORTS = st.integers(15000, 15019)


@st.composite
def fleets(draw: st.DrawFn) -> dict[str, int | None]:
    names = draw(st.lists(NAMES, unique=True, max_size=20))
    own = draw(st.lists(PORTS, unique=True, max_size=len(names)))
    return dict(zip(names, draw(st.permutations([*own, *[None] * (len(names) - len(own))])), strict=True))


@given(fleets())
def test_every_host_has_a_port_of_its_own_in_the_range_and_keeps_what_it_has(
    hosts: dict[str, int | None],
) -> None:
    ports = ports_of(fleet_of(hosts))
    assert set(ports) == set(hosts)
    assert len(set(ports.values())) == len(ports)
    assert all(15000 <= port <= 15019 for port in ports.values())
    assert all(ports[name] == port for name, port in hosts.items() if port is not None)


@given(fleets(), st.data())
def test_ports_that_were_written_down_stay_when_hosts_come_and_go(
    hosts: dict[str, int | None], data: st.DataObject
) -> None:
    before = ports_of(fleet_of(hosts))
    kept = {
        name: before[name] for name in data.draw(st.permutations(list(before))) if data.draw(st.booleans())
    }
    added: dict[str, int | None] = {f"new{index}": None for index in range(20 - len(kept))}
    after = ports_of(fleet_of({**added, **kept}))
    assert {name: after[name] for name in kept} == kept


def test_a_host_without_a_port_gets_the_lowest_that_is_free() -> None:
    assert ports_of(fleet_of({"a": None, "b": 15000, "c": None})) == {"a": 15001, "b": 15000, "c": 15002}


def test_ports_on_which_windows_itself_listens_are_passed_over() -> None:
    assert ports_of(fleet_of({"a": None, "b": None}, "5984-5990")) == {"a": 5984, "b": 5987}


def test_a_range_without_a_free_port_is_refused_in_words() -> None:
    with pytest.raises(BadInputError, match=r'"win" has no port left for host "c" in 15000-15001'):
        forwards(fleet_of({"a": None, "b": None, "c": None}, "15000-15001"))


def test_a_proxy_that_is_not_there_is_refused(loaded: Fleet) -> None:
    with pytest.raises(BadInputError, match='no Windows proxy "wim"; did you mean "win"'):
        forwards(loaded, "wim")
    with pytest.raises(BadInputError, match='no Windows proxy "bastion"'):
        forwards(loaded, "bastion")


def test_linux_hosts_have_forwards_too_and_ports_of_their_own_kind(loaded: Fleet) -> None:
    targets = {row.host: row.target_port for row in forwards(loaded)}
    expected = {"desk-1": 5986, "desk-2": 5986, "desk-3": 5999, "desk-4": 5986, "web-1": 22, "line-1": 5985}
    assert targets == expected


def test_a_proxy_is_told_each_forward_and_who_may_connect(loaded: Fleet) -> None:
    (told,) = commands(loaded, forwards(loaded, "win"))
    add = "netsh interface portproxy add"
    assert (
        f"{add} v4tov4 listenaddress=0.0.0.0 listenport=15000 connectaddress=10.0.1.21 connectport=5986"
        in (told.setup)
    )
    assert (
        f"{add} v4tov6 listenaddress=0.0.0.0 listenport=15003 connectaddress=fd00::23 connectport=5999"
        in (told.setup)
    )
    assert told.setup[-1] == (
        "New-NetFirewallRule -Name 'longshore-pool-official' -DisplayName 'Longshore: pool official' "
        "-Direction Inbound -Protocol TCP -LocalPort 15000,15001,15002,15003,15004 "
        "-RemoteAddress 198.51.100.7,2001:db8::/64 -Action Allow"
    )
    assert told.unknown == ()


def test_what_is_removed_is_what_was_set_up(loaded: Fleet) -> None:
    for told in commands(loaded, forwards(loaded)):
        added = {tuple(line.split()[4:7]) for line in told.setup if " portproxy add " in line}
        assert {tuple(line.split()[4:7]) for line in told.remove if " portproxy delete " in line} == added
        assert len([line for line in told.remove if line.startswith("Remove-NetFirewallRule")]) == 1


def test_behind_a_linux_proxy_that_one_alone_may_connect(loaded: Fleet) -> None:
    (told,) = commands(loaded, forwards(loaded, "inner"))
    assert "add v6tov4 listenaddress=:: listenport=15000 connectaddress=10.0.2.21 connectport=5985" in (
        "\n".join(told.setup)
    )
    assert "'longshore-proxy-bastion'" in told.setup[-1]
    assert "-RemoteAddress 203.0.113.10 " in told.setup[-1]


def test_a_pool_without_addresses_is_named_instead_of_letting_in_everybody() -> None:
    plain = fleet_of({"a": None})
    (told,) = commands(plain, forwards(plain))
    assert told.unknown == ("pool official",)
    assert "-RemoteAddress ADDRESSES " in told.setup[-1]


@pytest.mark.parametrize(
    ("outcome", "cause", "state"),
    [
        ("ok", None, "works"),
        ("failed", Cause.AUTH, "works"),
        ("unreachable", Cause.PROXY_TCP_REFUSED, "missing"),
        ("unreachable", Cause.PROXY_TCP_TIMEOUT, "missing"),
        ("unreachable", Cause.PROXY_FORWARD_REFUSED, "dead"),
        ("unreachable", Cause.TLS, "elsewhere"),
        ("unreachable", Cause.HOST_KEY_CHANGED, "elsewhere"),
        ("unreachable", Cause.PROXY_DNS, "unknown"),
        (None, None, "not verified"),
    ],
)
def test_a_verification_says_of_a_forward(outcome: str | None, cause: str | None, state: str) -> None:
    fleet = fleet_of({"a": 15000})
    (verdict,) = verdicts(fleet, forwards(fleet), {"a": (outcome, cause)} if outcome else {})
    assert verdict.state == state
    assert bool(verdict.run) == (state in ("missing", "dead", "elsewhere"))


def _new(rows: tuple[Forward, ...]) -> dict[tuple[str, str], int]:
    return {(row.cluster, row.host): row.port for row in rows if row.new}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_ports_are_written_into_the_file_and_nothing_else_is_touched(
    tmp_path: Path, loaded: Fleet, newline: str
) -> None:
    text = FLEET.replace("\n", newline)
    changed = with_forward_ports(text, _new(forwards(loaded)))
    port = "forward_port: "
    expected = (
        FLEET.replace("desk-1: 10.0.1.21 ", f"desk-1: {{address: 10.0.1.21, {port}15000}} ")
        .replace("{zone: b}}", f"{{zone: b}}, {port}15002}}")
        .replace("# over several\n", f"# over several\n        {port}15003\n")
        .replace("line-1: 10.0.2.21", f"line-1: {{address: 10.0.2.21, {port}15000}}")
        .replace("web-1: 10.0.3.21", f"web-1: {{address: 10.0.3.21, {port}15004}}")
    )
    assert changed == expected.replace("\n", newline)
    again = load_fleet(written(tmp_path, "again.yaml", changed))
    assert not any(row.new for row in forwards(again))
    assert ports_of(again) == ports_of(loaded)


@pytest.mark.parametrize("ending", ["", "\n", "   # the last\n"])
def test_a_host_at_the_very_end_of_the_file_can_be_added_to(ending: str) -> None:
    text = "clusters:\n  desk:\n    hosts:\n      a:\n        address: 10.0.0.1" + ending
    changed = with_forward_ports(text, {("desk", "a"): 15000})
    host = {"address": "10.0.0.1", "forward_port": 15000}
    assert read_yaml(changed).data == {"clusters": {"desk": {"hosts": {"a": host}}}}


def test_a_host_that_is_an_alias_is_left_to_a_person() -> None:
    text = "clusters:\n  desk:\n    hosts:\n      a: &x {address: h}\n      b: *x\n"
    with pytest.raises(
        BadInputError, match=r"left as it is(?s:.)*clusters.desk.hosts.b: forward_port: 15001"
    ):
        with_forward_ports(text, {("desk", "a"): 15000, ("desk", "b"): 15001})
