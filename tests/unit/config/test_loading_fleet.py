"""What load_fleet accepts, and how it refuses the rest."""

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.loading import load_fleet
from config.positions import YamlSyntaxError, read_yaml
from config.problems import InvalidFileError
from tests.support.files import DESIGN_FLEET, written

SMALL = """\
pools: {official: {kind: official}}
credentials: {deploy: {user: deploy, key_file: k}}
proxies:
  bastion: {os: linux, address: 203.0.113.10, credential: deploy}
  winproxy: {os: windows, address: 203.0.113.11}
clusters:
  web:
    os: linux
    pool: official
    credential: deploy
    hosts:
      web-1: 10.0.0.11
"""


ALL_PROBLEMS = """\
fleet.yaml:2:20: pools.official.kind: expected one of official, self-hosted, found "offcial"; did you mean "official"?
fleet.yaml:3:3: pools.bad name: expected a name of letters, digits, _, . and - that starts with a letter or digit (at most 128), found "bad name"
fleet.yaml:4:3: pools.official: expected each key once, found it a second time (first at 2:3)
fleet.yaml:7:13: credentials.y.user: expected some text, found the number 12; write it in quotes: "12"
fleet.yaml:7:27: credentials.y.key_file: expected some text, found the number 1.1; write it in quotes: "1.10"
fleet.yaml:9:33: proxies.bastion.address: expected an IPv4 or IPv6 address or a host name, found "203.0.113.300"
fleet.yaml:9:63: proxies.bastion.prot: expected one of the keys os, address, port, credential, proxy, host_key, max_channels, addresses, ports, found "prot"; did you mean "port"?
fleet.yaml:13:11: clusters.web.pool: expected a pool that is declared under pools, found "offical"; did you mean "official"?
fleet.yaml:14:17: clusters.web.credential: expected a credential with a key_file, a password or both for SSH, found "deploy" with neither; a user alone is enough for winrm: {transport: kerberos} only
fleet.yaml:16:14: clusters.web.hosts.web-1.address: expected an IPv4 or IPv6 address or a host name, found "10.0.0.11:22"; the port has its own key
fleet.yaml:17:41: clusters.web.hosts.web-2.port: expected a port from 1 to 65535, found the number 70000
fleet.yaml:17:52: clusters.web.hosts.web-2.os: expected linux, the os of cluster "web", found "windows"; put the host into another cluster
fleet.yaml:18:14: clusters.web.hosts.web-3: expected an address, or a mapping with an address and what is special, found the number 3
fleet.yaml:19:3: clusters.desk.os: expected one of linux, windows, found no such key
fleet.yaml:21:12: clusters.desk.hosts: expected a mapping from host names to addresses or hosts, found a list
fleet.yaml:22:3: clusters.gone: expected a mapping with os, pool, credential, proxy, port, become, winrm, work_directory and hosts, found nothing
"""  # noqa: E501 - as people read them


def refused(folder: Path, text: str) -> list[str]:
    """The lines of the error, without the folder."""
    path = written(folder, "fleet.yaml", text)
    with pytest.raises(InvalidFileError) as caught:
        load_fleet(path)
    assert caught.value.exit_code == 2
    assert [str(problem) for problem in caught.value.problems] == str(caught.value).splitlines()
    return [line.removeprefix(f"{folder}/") for line in str(caught.value).splitlines()]


def test_the_fleet_of_the_design_loads_as_it_stands(tmp_path: Path) -> None:
    fleet = load_fleet(written(tmp_path, "fleet.yaml", DESIGN_FLEET))

    assert fleet.clusters["web"].hosts["web-1"].address == "10.0.0.11"
    assert fleet.clusters["web"].hosts["web-2"].port == 2222
    assert fleet.clusters["desk"].hosts["desk-1"].forward_port == 15986
    assert fleet.clusters["desk"].winrm is not None


@pytest.mark.parametrize(
    ("become", "user"),
    [("true", "root"), ("postgres", "postgres"), ("{user: app}", "app"), ("{}", "root")],
)
def test_become_is_root_or_a_named_user(tmp_path: Path, become: str, user: str) -> None:
    text = SMALL.replace("    os: linux\n", f"    os: linux\n    become: {become}\n")
    cluster = load_fleet(written(tmp_path, "fleet.yaml", text)).clusters["web"]
    assert cluster.become is not None
    assert cluster.become.user == user


def test_become_false_is_no_become(tmp_path: Path) -> None:
    text = SMALL.replace("    os: linux\n", "    os: linux\n    become: false\n")
    assert load_fleet(written(tmp_path, "fleet.yaml", text)).clusters["web"].become is None


def test_all_problems_of_a_file_are_listed_at_once_with_their_places(tmp_path: Path) -> None:
    text = textwrap.dedent("""\
        pools:
          official: {kind: offcial}
          "bad name": {kind: official}
          official: {kind: self-hosted}
        credentials:
          deploy: {user: deploy}
          y: {user: 12, key_file: 1.10}
        proxies:
          bastion: {os: linux, address: 203.0.113.300, credential: y, prot: 22}
        clusters:
          web:
            os: linux
            pool: offical
            credential: deploy
            hosts:
              web-1: 10.0.0.11:22
              web-2: {address: 10.0.0.12, port: 70000, os: windows}
              web-3: 3
          desk:
            pool: official
            hosts: [a]
          gone:
        """)
    assert refused(tmp_path, text) == ALL_PROBLEMS.splitlines()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "pool: official",
            "pool: nowhere",
            "clusters.web.pool: expected a pool that is declared under pools",
        ),
        ("credential: deploy\n", "credential: deplyo\n", 'found "deplyo"; did you mean "deploy"?'),
        ("web-1: 10.0.0.11", "web-1: {address: a, proxy: bastian}", 'did you mean "bastion"?'),
        (
            "    credential: deploy\n",
            "",
            "clusters.web.credential: expected a credential, as web-1 has no other, found none",
        ),
        (
            "address: 203.0.113.10, credential: deploy",
            "address: 203.0.113.10",
            "proxies.bastion.credential: expected a credential to log in to the Linux proxy, found none",
        ),
        (
            "web-1: 10.0.0.11",
            "web-1: {address: a, proxy: winproxy}",
            (
                "clusters.web.hosts.web-1.forward_port: expected the port of the Windows proxy "
                '"winproxy" that is forwarded to this host, found none'
            ),
        ),
        ("web-1: 10.0.0.11", "web-1: {address: a, forward_port: 1}", "behind a Windows proxy only"),
        ("web-1: 10.0.0.11", "web: 10.0.0.11", 'found "web", which is also a cluster'),
        ("web-1: 10.0.0.11", "bastion: 10.0.0.11", 'found "bastion", which is also a proxy'),
        (
            "web-1: 10.0.0.11",
            "web-1: 10.0.0.11\n      web-1: 10.0.0.12",
            "found it a second time (first at 12:7)",
        ),
        ("os: linux\n    pool", "os: linux\n    winrm: {}\n    pool", "expected winrm at Windows hosts only"),
        ("credential: deploy}", "credential: deploy, max_channels: 0}", "expected a whole number from 1 up"),
        (
            "key_file: k",
            "passphrase: {env: A}, password: {env: P}",
            "expected a key_file that the passphrase opens",
        ),
        ("web-1: 10.0.0.11", "web-1: '[::1]'", "an IPv6 address stands without brackets"),
        ("web-1: 10.0.0.11", "web-1: u@h", "the user belongs into a credential"),
        ("web-1: 10.0.0.11", "web-1: 10.0.0", "expected an IPv4 or IPv6 address or a host name"),
        ("web-1: 10.0.0.11", f"{'a' * 129}: 10.0.0.1", "(at most 128)"),
        ("kind: official", "kind: official, addresses: [10.0.0.1/8]", "a network such as 198.51.100.0/24"),
        ("web-1: 10.0.0.11", "web-1: {address: a, host_key: [x]}", "as in known_hosts without the host name"),
        ("web-1: 10.0.0.11", "web-1: !vault x", "expected plain data, found the tag !vault"),
        ("web-1: 10.0.0.11", "? [a, b]\n      : 10.0.0.11", "expected a key that is plain text"),
        ("pools: ", "pools: &p ", None),
    ],
)
def test_one_mistake_is_one_problem(tmp_path: Path, old: str, new: str, expected: str | None) -> None:
    assert old in SMALL
    text = SMALL.replace(old, new, 1)
    if expected is None:
        assert load_fleet(written(tmp_path, "fleet.yaml", text)).pools
        return
    (line,) = refused(tmp_path, text)
    assert expected in line


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "fd00::1", "fe80::1%eth0", "web-1", "a.b.example.", "x_y.local"]
)
def test_addresses_of_every_kind_are_accepted(tmp_path: Path, address: str) -> None:
    text = SMALL.replace("web-1: 10.0.0.11", f"web-1: {address}")
    host = load_fleet(written(tmp_path, "fleet.yaml", text)).clusters["web"].hosts["web-1"]
    assert host.address == address


def test_a_host_in_two_clusters_is_refused_where_it_stands_the_second_time(tmp_path: Path) -> None:
    text = SMALL + "  db: {os: linux, pool: official, credential: deploy, hosts: {web-1: 10.0.0.11}}\n"
    (line,) = refused(tmp_path, text)
    assert line.startswith("fleet.yaml:13:63: clusters.db.hosts.web-1: expected a name of its own, found")
    assert line.endswith('which is also a host of cluster "web"')


def test_a_proxy_that_needs_itself_through_others_is_refused_once(tmp_path: Path) -> None:
    text = SMALL.replace(
        "  winproxy",
        "  a: {os: linux, address: a, credential: deploy, proxy: b}\n"
        "  b: {os: linux, address: b, credential: deploy, proxy: c}\n"
        "  c: {os: linux, address: c, credential: deploy, proxy: a}\n"
        "  d: {os: linux, address: d, credential: deploy, proxy: a}\n"
        "  e: {os: linux, address: e, credential: deploy, proxy: e}\n"
        "  winproxy",
    )
    wrong = "expected a way that ends, found a proxy that needs itself"
    assert refused(tmp_path, text) == [
        f"fleet.yaml:5:57: proxies.a.proxy: {wrong}: a > b > c > a",
        f"fleet.yaml:9:57: proxies.e.proxy: {wrong}: e > e",
    ]


def test_a_windows_proxy_in_front_of_a_proxy_is_refused(tmp_path: Path) -> None:
    text = SMALL.replace(
        "credential: deploy}\n  winproxy", "credential: deploy, proxy: winproxy}\n  winproxy"
    )
    (line,) = refused(tmp_path, text)
    assert 'expected a Linux proxy in front of a proxy, found the Windows proxy "winproxy"' in line


def test_two_hosts_on_one_forwarded_port_are_refused(tmp_path: Path) -> None:
    text = DESIGN_FLEET + "      desk-2: {address: 10.0.1.22, forward_port: 15986}\n"
    (line,) = refused(tmp_path, text)
    assert (
        'desk-2.forward_port: expected a port of its own, found 15986, which "winproxy" forwards to' in line
    )


@pytest.mark.parametrize(
    "value", ["hunter2", "{env: hunter 2}", "{env: hunter2, fiel: x}", "[hunter2]", "12345678"]
)
def test_a_password_in_clear_is_refused_and_not_repeated(tmp_path: Path, value: str) -> None:
    text = SMALL.replace("key_file: k", f"password: {value}")
    lines = refused(tmp_path, text)
    assert lines
    assert all("hunter" not in line and "12345678" not in line for line in lines)


def test_a_fleet_without_credentials_lists_a_cluster_once_for_all_its_hosts(tmp_path: Path) -> None:
    hosts = "".join(f"      h{number}: 10.0.0.{number}\n" for number in range(1, 9))
    (line,) = refused(tmp_path, SMALL.replace("    credential: deploy\n", "") + hosts)
    assert "as web-1, h1, h2 and 6 more have no other, found none" in line


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ":1:1: expected a mapping with pools, credentials, proxies and clusters, found nothing"),
        (
            b"# nothing\n",
            ":1:1: expected a mapping with pools, credentials, proxies and clusters, found nothing",
        ),
        (b"- a\n", ":1:1: expected a mapping with pools, credentials, proxies and clusters, found a list"),
        (b"fleet\n", ':1:1: expected a mapping with pools, credentials, proxies and clusters, found "fleet"'),
        (b"pools:\n  a\xff: 1\n", ":2:4: expected UTF-8 text, found the byte 0xff; save the file as UTF-8"),
        (b"pools:\n  a: \x07\n", ":2:6: expected printable text, found the character U+0007"),
        (b"a: 1\n---\nb: 2\n", "keep one document in a file"),
        (b"pools:\n\tofficial: 1\n", ":2:1: not valid YAML"),
        (b"pools: {a: 1\nx: 3\n", ":2:2: not valid YAML"),
        (b"pools: @a\n", "put text that begins with this character in quotes"),
        (b"a: b: c\n", ":1:5: not valid YAML: mapping values are not allowed here"),
        (b"[" * 60, "maximum depth"),
    ],
)
def test_what_is_no_fleet_is_refused_with_its_place(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_bytes(content)
    with pytest.raises(InvalidFileError) as caught:
        load_fleet(path)
    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith(f"{path}:")
    assert expected in str(caught.value)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.encode())
    assert load_fleet(path).clusters


def test_a_missing_file_is_named_with_a_near_one(tmp_path: Path) -> None:
    written(tmp_path, "fleet.yaml", SMALL)
    with pytest.raises(
        InvalidFileError, match=r"flet\.yaml: expected a file, found none of this name; did you mean"
    ):
        load_fleet(tmp_path / "flet.yaml")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFileError, match="expected a file that can be read, found: is a directory"):
        load_fleet(tmp_path)


def test_an_alias_inside_itself_is_refused(tmp_path: Path) -> None:
    lines = refused(tmp_path, SMALL + "extra: &x [*x]\n")
    assert any("found an alias that contains itself" in line for line in lines)


def test_aliases_stand_for_what_they_name(tmp_path: Path) -> None:
    text = SMALL.replace("deploy: {user", "deploy: &d {user").replace("k}}", "k}, other: *d}")
    fleet = load_fleet(written(tmp_path, "fleet.yaml", text))
    assert fleet.credentials["other"] == fleet.credentials["deploy"]


@given(st.text())
def test_any_text_is_data_or_a_syntax_error_with_a_place(text: str) -> None:
    try:
        place = read_yaml(text).place(("anything", 0))
    except YamlSyntaxError as error:
        place = error.place
    assert place >= (1, 1)
