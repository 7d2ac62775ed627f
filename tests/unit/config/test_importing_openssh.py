"""OpenSSH client configurations as fleets."""

import textwrap
from pathlib import Path

import pytest

from config.fleet import Fleet
from config.importing.imported import Imported, NoHostsError, render_fleet
from config.importing.openssh import import_openssh
from config.loading import load_fleet
from tests.support.files import written


def imported(folder: Path, text: str) -> Imported:
    return import_openssh(written(folder, "config", textwrap.dedent(text)), default_user="me")


def loaded(folder: Path, result: Imported) -> Fleet:
    return load_fleet(written(folder, "fleet.yaml", render_fleet(result)))


def notes(result: Imported) -> list[str]:
    return [f"{note.line}: {note.text}" for note in result.left_out]


CONFIG = """\
    ForwardAgent no
    Host bastion
      HostName bastion.example.com
      User jump
    Host inner
      HostName 10.0.0.1
      ProxyJump bastion
    Host app-* !app-3
      User app
      IdentityFile ~/.ssh/app
      ProxyJump inner
    Host app-1 app-2 app-3
      HostName %h.internal.example
      User late
    Host db
      Port=2222
      HostName "10.0.0.9"   # a comment
      ProxyJump u@bastion:2200,inner
    Include conf.d/*
    Match user x
      User no
    Host *
      User everyone
      IdentityFile ~/.ssh/any
      ServerAliveInterval 5
    """


def test_hosts_take_the_first_value_that_matches(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, CONFIG))
    cluster = fleet.clusters["imported"]
    logins = {
        name: (login.user, login.key_file)
        for name, host in cluster.hosts.items()
        for login in [fleet.credentials[host.credential or cluster.credential or ""]]
    }
    assert logins == {
        "app-1": ("app", "~/.ssh/app"),
        "app-2": ("app", "~/.ssh/app"),
        "app-3": ("late", "~/.ssh/any"),
        "db": ("everyone", "~/.ssh/any"),
    }
    assert cluster.hosts["app-1"].address == "app-1.internal.example"
    assert (cluster.hosts["db"].address, cluster.hosts["db"].port) == ("10.0.0.9", 2222)


def test_jumps_of_jumps_are_followed(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, CONFIG))
    hosts = fleet.clusters["imported"].hosts
    assert (hosts["app-1"].proxy, hosts["app-3"].proxy) == ("inner", None)
    assert (fleet.proxies["inner"].address, fleet.proxies["inner"].proxy) == ("10.0.0.1", "bastion")
    assert fleet.proxies["bastion"].address == "bastion.example.com"
    second = fleet.proxies[hosts["db"].proxy or ""]
    first = fleet.proxies[second.proxy or ""]
    assert (first.address, first.port, fleet.credentials[first.credential or ""].user) == (
        "bastion.example.com",
        2200,
        "u",
    )


def test_what_is_not_carried_over_is_listed_with_its_line(tmp_path: Path) -> None:
    assert notes(imported(tmp_path, CONFIG)) == [
        '1: option "ForwardAgent"',
        '2: host "bastion" is a proxy here, and no host of the fleet itself',
        '5: host "inner" is a proxy here, and no host of the fleet itself',
        '19: "Include conf.d/*"; import the included files by themselves',
        "20: the Match block and the options in it",
        '25: option "ServerAliveInterval"',
    ]


def test_a_proxy_command_of_the_usual_form_is_a_proxy(tmp_path: Path) -> None:
    fleet = loaded(
        tmp_path, imported(tmp_path, "Host a\n  ProxyCommand ssh -W %h:%p -i ~/.ssh/edge u@edge.example\n")
    )
    proxy = fleet.proxies["edge.example"]
    assert fleet.credentials[proxy.credential or ""].key_file == "~/.ssh/edge"


def test_proxy_jump_none_is_direct(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, "Host a\n  ProxyJump none\nHost *\n  ProxyJump edge\n"))
    assert fleet.clusters["imported"].hosts["a"].proxy is None
    assert not fleet.proxies


@pytest.mark.parametrize(
    "option",
    [
        "ProxyCommand sshpass -p hunter2 ssh -W %h:%p edge",
        "ProxyCommand nc -X connect %h %p",
        "ProxyCommand ssh -W %h:%p -o ProxyCommand=hunter2 edge",
        "ProxyJump a,",
        pytest.param(f"ProxyJump a:{'9' * 5000}", id="the jump's port"),
        pytest.param("ProxyJump odd\nHost od*\n  Port " + "9" * 5000, id="the jump's own port"),
        pytest.param(f"ProxyCommand ssh -p {'9' * 5000} -W %h:%p a", id="the command's port"),
    ],
)
def test_a_way_that_is_not_understood_leaves_its_host_out_without_repeating_it(
    tmp_path: Path, option: str
) -> None:
    result = imported(tmp_path, f"Host b\n  User u\nHost x\n  {option}\n")
    assert any('host "x": the way through its ProxyJump or ProxyCommand' in note for note in notes(result))
    assert "hunter2" not in render_fleet(result)
    assert list(loaded(tmp_path, result).clusters["imported"].hosts) == ["b"]


def test_a_port_of_more_digits_than_any_is_listed(tmp_path: Path) -> None:
    result = imported(tmp_path, f"Host b\n  User u\nHost x\n  Port {'9' * 5000}\n")
    assert any(note.startswith('4: host "x": its port') for note in notes(result))
    assert max(len(note) for note in notes(result)) < 1100


def test_jumps_that_need_each_other_end(tmp_path: Path) -> None:
    result = imported(tmp_path, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\nHost c\n  User u\n")
    assert list(loaded(tmp_path, result).clusters["imported"].hosts) == ["c"]


@pytest.mark.parametrize(
    "text",
    ["", "Host *\n  User u\n", "Match all\n  User u\n", "Host a\n  ProxyCommand nc %h %p\n", "Include x\n"],
)
def test_a_configuration_without_any_host_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(NoHostsError, match="config: expected at least one host, found none"):
        imported(tmp_path, text)


def test_the_user_and_key_that_are_assumed_are_listed(tmp_path: Path) -> None:
    assert notes(imported(tmp_path, "Host a\n")) == [
        '1: no key is named for "me"; ~/.ssh/id_ed25519 is assumed',
        '1: no user is named; "me" is assumed',
    ]
