"""Ansible inventories as fleets."""

import textwrap
from pathlib import Path

import pytest

from config.fleet import Fleet
from config.importing.ansible import import_ansible
from config.importing.imported import Imported, NoHostsError, render_fleet
from config.importing.inventory import expand
from config.loading import load_fleet
from config.routing import Router
from tests.support.files import written


def imported(folder: Path, text: str, name: str = "hosts.ini") -> Imported:
    return import_ansible(written(folder, name, textwrap.dedent(text)), default_user="me")


def loaded(folder: Path, result: Imported) -> Fleet:
    """The fleet as a person gets it: written down and loaded again."""
    return load_fleet(written(folder, "fleet.yaml", render_fleet(result)))


def notes(result: Imported) -> list[str]:
    return [f"{note.line}: {note.text}" for note in result.left_out]


INI = """\
    lone.example.com ansible_user=bob ansible_port=2200
    [web]
    web[01:03].example.com http_port=80   # a comment
    web-9 ansible_host=10.0.0.9
    [db]
    db-[a:b] ansible_host=10.0.1.1
    [prod:children]
    web
    db
    [prod:vars]
    ansible_user=deploy
    ansible_ssh_private_key_file='~/.ssh/deploy'
    ansible_become=yes
    ; a comment
    [db:vars]
    ansible_user=postgres
    """


def test_an_ini_inventory_becomes_clusters_with_the_variables_of_their_groups(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, INI))

    assert list(fleet.clusters) == ["hosts", "web", "db"]
    assert list(fleet.clusters["web"].hosts) == [
        "web01.example.com",
        "web02.example.com",
        "web03.example.com",
        "web-9",
    ]
    assert fleet.clusters["web"].hosts["web-9"].address == "10.0.0.9"
    assert fleet.clusters["web"].become is not None
    web, db = (fleet.credentials[fleet.clusters[name].credential or ""] for name in ("web", "db"))
    assert (web.user, web.key_file) == ("deploy", "~/.ssh/deploy")
    assert (db.user, db.key_file) == ("postgres", "~/.ssh/deploy")
    assert fleet.clusters["hosts"].port == 2200


def test_what_is_not_carried_over_is_listed_with_its_line(tmp_path: Path) -> None:
    assert notes(imported(tmp_path, INI)) == [
        '1: no key is named for "bob"; ~/.ssh/id_ed25519 is assumed',
        '3: variable "http_port"',
        '7: group "prod" of the groups web, db; name those clusters instead',
    ]


YAML = """\
    all:
      vars:
        ansible_user: deploy
      children:
        prod:
          vars: {ansible_ssh_private_key_file: ~/.ssh/prod}
          children:
            web:
              hosts:
                web-[1:2]:
                  ansible_port: 2222
            cache:
              hosts:
                web-2:
                cache-1: {ansible_host: fd00::5, ansible_user: cache}
        edge:
          hosts:
            cache-1:
    """


def test_a_yaml_inventory_becomes_clusters(tmp_path: Path) -> None:
    result = imported(tmp_path, YAML, "hosts.yml")
    fleet = loaded(tmp_path, result)

    assert {name: list(cluster.hosts) for name, cluster in fleet.clusters.items()} == {
        "web": ["web-1", "web-2"],
        "cache": ["cache-1"],
    }
    assert fleet.clusters["web"].port == 2222
    assert fleet.clusters["cache"].hosts["cache-1"].address == "fd00::5"
    assert fleet.credentials[fleet.clusters["cache"].credential or ""].user == "cache"
    assert notes(result) == [
        '5: group "prod" of the groups web, cache; name those clusters instead',
        '10: host "web-2": cluster "web" was taken; it is also in cache',
        '15: host "cache-1": cluster "cache" was taken; it is also in edge',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "hosts: [a, b]",
            "2: all.hosts: expected a mapping of hosts, found a list, of which nothing was read",
        ),
        ("hosts: 5", "2: all.hosts: expected a mapping of hosts, found something else"),
        ("hostz: {a: }", '2: the key "hostz" of group "all" means nothing; did you mean "hosts"?'),
        ("vars: hunter2", "2: all.vars: expected a mapping of variables, found something else"),
        ("hosts: {a: hunter2}", "2: all.hosts.a: expected a mapping of variables, found something else"),
        ("children: [web]", "2: all.children: expected a mapping of groups, found a list"),
        (
            "children: {db: [a]}",
            "2: all.children.db: expected a mapping of hosts, vars and children, found a l",
        ),
        (
            "vars: {a: 1, a: 2}",
            "2: all.vars.a: expected each key once, found it a second time (first at 2:10)",
        ),
        (
            "vars: {ansible_user: !vault hunter2}",
            "2: all.vars.ansible_user: expected plain data, found the tag",
        ),
        ('vars: {ansible_user: "hunter2\\ud800"}', "2: all.vars.ansible_user: expected text, found half a"),
        (f"vars: {{ansible_port: 0x{'f' * 6000}}}", "2: all.vars.ansible_port: expected a number of at most"),
        ("hosts: {? [a] : }", "2: all.hosts: expected a key that is plain text"),
    ],
    ids=lambda text: text[:30],
)
def test_what_can_not_be_read_of_a_yaml_inventory_is_listed(tmp_path: Path, text: str, expected: str) -> None:
    result = imported(tmp_path, f"all:\n  {text}\nmore: {{hosts: {{sound: }}}}\n", "hosts.yml")
    assert any(note.startswith(expected) for note in notes(result)), notes(result)
    assert "hunter2" not in render_fleet(result)
    assert "sound" in loaded(tmp_path, result).clusters["more"].hosts


def test_a_key_that_stands_twice_loses_its_second_half_with_a_note(tmp_path: Path) -> None:
    text = "web:\n  hosts:\n    a: {ansible_user: x}\nweb:\n  hosts:\n    b:\n"
    result = imported(tmp_path, text, "hosts.yml")
    assert list(loaded(tmp_path, result).clusters["web"].hosts) == ["a"]
    assert notes(result)[-1] == (
        "4: web: expected each key once, found it a second time (first at 1:1); the second was left out"
    )


def test_one_name_may_stand_where_a_mapping_does(tmp_path: Path) -> None:
    result = imported(tmp_path, "all: {hosts: a, children: web}\nweb: {hosts: b}\n", "hosts.yml")
    assert {name: list(each["hosts"]) for name, each in result.fleet["clusters"].items()} == {
        "all": ["a"],
        "web": ["b"],
    }


@pytest.mark.parametrize(
    ("name", "text", "noted"),
    [
        ("hosts.yml", "", None),
        ("hosts.yml", "- a\n- b\n", "1: expected a mapping of groups with hosts, found a list"),
        ("hosts.yml", "hunter2\n", "1: expected a mapping of groups with hosts, found something else"),
        ("hosts.yml", "!hosts {}\n", "1: expected plain data, found the tag !hosts"),
        ("hosts.yml", "all: {hosts: [a, b]}\n", "1: all.hosts: expected a mapping of hosts, found a list"),
        ("hosts", "all: {hosts: [a, b]}\n", "1: all.hosts: expected a mapping of hosts, found a list"),
        (
            "hosts",
            '{"all": {"hosts": ["a", "b"]}}',
            "1: all.hosts: expected a mapping of hosts, found a list",
        ),
        ("hosts", "- a\n", "1: expected a mapping of groups with hosts, found a list"),
        ("hosts.ini", "", None),
        ("hosts.ini", "[web]\n[web:vars]\nx=hunter2\n", '3: variable "x"'),
        (
            "hosts.ini",
            "localhost ansible_connection=local\n",
            '1: host "localhost": ansible_connection "local"',
        ),
    ],
)
def test_an_inventory_without_any_host_is_refused_with_all_that_was_left_out(
    tmp_path: Path, name: str, text: str, noted: str | None
) -> None:
    with pytest.raises(NoHostsError) as caught:
        imported(tmp_path, text, name)
    first, *more = str(caught.value).splitlines()
    assert first.startswith(f"{tmp_path / name}: expected at least one host, found none")
    assert any(line.startswith(f"{tmp_path / name}:{noted}") for line in more) == (noted is not None), more
    assert "hunter2" not in str(caught.value)


def test_a_yaml_inventory_is_known_by_its_look(tmp_path: Path) -> None:
    assert "web" in imported(tmp_path, YAML, "inventory").fleet["clusters"]
    assert "web" in imported(tmp_path, INI, "inventory").fleet["clusters"]


@pytest.mark.parametrize(
    "arguments",
    [
        "-J jump@bastion.example:2022",
        "-o ProxyJump=jump@bastion.example:2022",
        "-oProxyJump=jump@bastion.example:2022",
        '-o "ProxyJump jump@bastion.example:2022"',
        '-o ProxyCommand="ssh -W %h:%p -q jump@bastion.example -p 2022"',
        "-o ProxyCommand='ssh -p 2022 -l jump -o BatchMode=yes -W %h:%p bastion.example'",
        "-o ProxyCommand='/usr/bin/ssh -qW %h:%p ssh://jump@bastion.example:2022'",
    ],
)
def test_every_way_to_name_a_jump_becomes_a_proxy(tmp_path: Path, arguments: str) -> None:
    text = f"[web]\nweb-1\n[web:vars]\nansible_user=a\nansible_ssh_common_args={arguments}\n"
    fleet = loaded(tmp_path, import_ansible(written(tmp_path, "h", text), default_user="me"))

    assert fleet.clusters["web"].proxy == "bastion.example"
    proxy = fleet.proxies["bastion.example"]
    assert (proxy.os, proxy.address, proxy.port) == ("linux", "bastion.example", 2022)
    assert fleet.credentials[proxy.credential or ""].user == "jump"


def test_a_chain_of_jumps_is_a_chain_of_proxies(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, "web-1 ansible_ssh_common_args='-J edge,[fd00::2]:2200'\n"))
    assert fleet.clusters["hosts"].proxy == "fd00--2"
    assert (fleet.proxies["fd00--2"].address, fleet.proxies["fd00--2"].proxy) == ("fd00::2", "edge")


def test_only_hosts_behind_a_jump_have_its_proxy(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, "[w]\na\nb ansible_ssh_common_args='-J edge'\n"))
    assert fleet.clusters["w"].proxy is None
    assert [host.proxy for host in fleet.clusters["w"].hosts.values()] == [None, "edge"]


@pytest.mark.parametrize("name", ["ansible_password", "ansible_ssh_pass", "ansible_become_password"])
def test_a_password_is_never_written_and_always_listed(tmp_path: Path, name: str) -> None:
    result = imported(tmp_path, f"[web]\nweb-1 ansible_user=a {name}=hunter2\n")
    text = render_fleet(result)
    assert "hunter2" not in text
    assert any(f'"{name}", which is a secret' in note for note in notes(result))
    loaded(tmp_path, result)


def test_a_login_by_password_refers_to_the_environment(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, "web-1 ansible_user=a-b ansible_password=hunter2\n"))
    credential = fleet.credentials["a-b"]
    assert credential.password is not None
    assert (credential.password.env, credential.key_file) == ("PASSWORD_A_B", None)


@pytest.mark.parametrize(
    "line",
    [
        "web-1 ansible_ssh_common_args=\"-o ProxyCommand='sshpass -p hunter2 ssh -W %h:%p bastion'\"",
        "web-1 ansible_ssh_common_args='-o Secret=hunter2 hunter2'",
        "web-1 ansible_password = hunter2",
        "web-1 db_password=hunter2",
        "web-1 'hunter2",
    ],
)
def test_notes_never_repeat_what_may_be_a_secret(tmp_path: Path, line: str) -> None:
    result = imported(tmp_path, f"web-0 ansible_user=a\n{line}\n")
    assert any(note.line == 2 for note in result.left_out)
    assert "hunter2" not in render_fleet(result)


def test_names_that_a_fleet_can_not_have_are_changed_and_listed(tmp_path: Path) -> None:
    result = imported(tmp_path, "[db1]\ndb1\n[2001:db8::1]:22\n[my group]\n_x ansible_host=10.0.0.1\n")
    fleet = loaded(tmp_path, result)
    assert {name: list(cluster.hosts) for name, cluster in fleet.clusters.items()} == {
        "db1-hosts": ["db1", "2001-db8--1"],
        "my-group": ["x"],
    }
    assert fleet.clusters["db1-hosts"].hosts["2001-db8--1"].address == "2001:db8::1"
    assert '1: group "db1" is called "db1-hosts" here, as names are unique in a fleet' not in notes(result)
    assert any('group "db1" is called "db1-hosts" here' in note for note in notes(result))


def test_a_bastion_that_is_a_host_too_has_a_proxy_of_its_own_name(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, "[e]\nedge\n[w]\nweb ansible_ssh_common_args='-J edge'\n"))
    assert list(fleet.proxies) == ["edge-proxy"]
    assert fleet.proxies["edge-proxy"].address == "edge"


MANY = "9" * 5000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a ansible_connection=local", 'ansible_connection "local" reaches no host over a network'),
        ("a ansible_port=x", 'its port "x" is not a number'),
        ("a ansible_port=70000", "a port is not between 1 and 65535"),
        ("a ansible_host=a_b/c", 'its address "a_b/c" is neither IP nor name'),
        ("a[1:x]", 'the range in "a[1:x]" is not understood'),
        ("a[1:999999999]", "is not understood"),
        (f"a ansible_port={MANY}", "is not a number"),
        (f"a:{MANY}", "is not a number"),
        (f"a[1:{MANY}]", "is not understood"),
        (f"a[{MANY}:1]", "is not understood"),
        (f"a[1:2:{MANY}]", "is not understood"),
        (f"a ansible_ssh_common_args='-J b:{MANY}'", 'ssh option "-J"'),
        (f"a ansible_ssh_common_args='-p {MANY}'", 'ssh option "-p"'),
        (f"a ansible_ssh_common_args='-o Port={MANY}'", 'ssh option "-o Port"'),
        (
            f"a ansible_ssh_common_args='-o ProxyCommand=\"ssh -W %h:%p -oPort={MANY} b\"'",
            '"-o ProxyCommand"',
        ),
        ("a ansible_ssh_common_args='-p 2222 -l b'", 'ssh option "-l"'),
        ("[web:stuff]", 'the section "[web:stuff]" is not understood'),
        ("a ansible_user={{u}}", 'variable "ansible_user"'),
        ("a ansible_ssh_extra_args='-o ForwardAgent=yes'", 'ssh option "-o ForwardAgent"'),
    ],
    ids=lambda text: text[:40],
)
def test_what_can_not_be_a_host_is_listed(tmp_path: Path, line: str, expected: str) -> None:
    assert any(expected in note for note in notes(imported(tmp_path, f"b ansible_user=c\n{line}\n")))


def test_windows_hosts_have_a_cluster_of_their_own(tmp_path: Path) -> None:
    text = "[web]\na\nw ansible_connection=ansible.builtin.winrm ansible_user=Admin ansible_password=x\n"
    fleet = loaded(tmp_path, imported(tmp_path, text))
    assert {name: cluster.os for name, cluster in fleet.clusters.items()} == {
        "web": "linux",
        "web-windows": "windows",
    }


WINRM = "ansible_connection=winrm ansible_user=Admin ansible_password=x"


@pytest.mark.parametrize(
    ("variables", "settings"),
    [
        ("", {}),
        ("ansible_port=5985", {"scheme": "http"}),
        (
            "ansible_winrm_scheme=http ansible_winrm_transport=kerberos",
            {"scheme": "http", "transport": "kerberos"},
        ),
        ("ansible_winrm_transport=ssl", {"transport": "basic"}),
        ("ansible_winrm_transport=credssp,ntlm", {"transport": "credssp"}),
        ("ansible_winrm_ca_trust_path=/ca.pem", {"ca_file": "/ca.pem"}),
        ("ansible_winrm_server_cert_validation=ignore", {"ignore_certificate": True}),
        ("ansible_winrm_server_cert_validation=validate", {}),
    ],
)
def test_what_is_said_of_winrm_is_carried_over(
    tmp_path: Path, variables: str, settings: dict[str, object]
) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, f"[w]\nh {WINRM} {variables}\n"))
    winrm = Router(fleet).target("h").winrm
    assert winrm is not None
    assert winrm.model_dump(exclude_defaults=True) == settings


def test_hosts_with_kerberos_get_a_credential_of_their_user_alone(tmp_path: Path) -> None:
    kerberos = f"{WINRM} ansible_winrm_transport=kerberos"
    result = imported(tmp_path, f"[w]\na {kerberos}\nb {kerberos}\n[x]\nc {WINRM}\n")
    fleet = loaded(tmp_path, result)
    by_ticket, by_password = (Router(fleet).target(name).credential for name in "bc")
    assert (by_ticket.user, by_ticket.password, by_ticket.key_file) == ("Admin", None, None)
    assert by_password.password is not None
    assert [note.text for note in result.left_out if "ticket" in note.text] == [
        'the ticket of "Admin", which the workers need: `kinit Admin`, or a keytab'
    ]


def test_a_certificate_is_ignored_at_each_host_by_name(tmp_path: Path) -> None:
    ignore = "ansible_winrm_server_cert_validation=ignore"
    text = f"[w]\na {WINRM} {ignore}\nb {WINRM} {ignore}\n"
    cluster = loaded(tmp_path, imported(tmp_path, text)).clusters["w"]
    assert cluster.winrm is None
    assert all(host.winrm is not None and host.winrm.ignore_certificate for host in cluster.hosts.values())


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ("ansible_winrm_transport=plaintext ansible_winrm_scheme=http", "basic over http, which would show"),
        ("ansible_winrm_transport=certificate", "which needs a credential with certificate_file"),
        ("ansible_winrm_transport=magic", 'the WinRM transport "magic"; ntlm is assumed'),
    ],
)
def test_a_login_over_winrm_that_cannot_be_carried_over_is_listed(
    tmp_path: Path, variables: str, expected: str
) -> None:
    result = imported(tmp_path, f"[w]\nh {WINRM} {variables}\n")
    assert any(expected in note for note in notes(result))
    assert loaded(tmp_path, result).clusters


def test_become_that_differs_is_left_out_and_listed(tmp_path: Path) -> None:
    result = imported(tmp_path, "[w]\na ansible_become=true\nb\n")
    assert any("become differs" in note for note in notes(result))
    assert loaded(tmp_path, result).clusters["w"].become is None


def test_become_of_a_windows_host_is_left_out_and_listed(tmp_path: Path) -> None:
    result = imported(
        tmp_path, "w1 ansible_connection=winrm ansible_become=yes\nw2 ansible_connection=winrm\n"
    )
    assert '1: host "w1": become, as there is no sudo on Windows' in notes(result)
    assert loaded(tmp_path, result).clusters["hosts"].become is None


def test_groups_that_contain_each_other_end(tmp_path: Path) -> None:
    fleet = loaded(tmp_path, imported(tmp_path, "[a]\nh\n[a:children]\nb\n[b:children]\na\n"))
    assert list(fleet.clusters) == ["a"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("web", ["web"]),
        ("web[1:3]", ["web1", "web2", "web3"]),
        ("web[08:10].x", ["web08.x", "web09.x", "web10.x"]),
        ("w[1:5:2]", ["w1", "w3", "w5"]),
        ("w-[a:c]", ["w-a", "w-b", "w-c"]),
        ("r[1:2]h[1:2]", ["r1h1", "r1h2", "r2h1", "r2h2"]),
        ("[fd00::1]", ["fd00::1"]),
        ("w[3:1]", None),
        ("w[", None),
    ],
)
def test_ranges_stand_for_names(pattern: str, names: list[str] | None) -> None:
    assert expand(pattern) == names
