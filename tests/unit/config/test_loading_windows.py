"""What load_fleet accepts and refuses of Windows hosts, and of the proxies in front of them."""

from pathlib import Path

import pytest

from config.loading import load_fleet
from config.problems import InvalidFileError
from tests.support.files import written

WINDOWS = """\
pools: {official: {kind: official}}
credentials:
  admin: {user: Administrator, password: {env: P}}
  key: {user: deploy, key_file: k}
  mapped: {user: deploy, certificate_file: c, key_file: k}
  half: {user: deploy, certificate_file: c, password: {env: P}}
  user: {user: deploy@CORP.EXAMPLE}
proxies:
  bastion: {os: linux, address: 203.0.113.10, credential: key}
  winproxy: {os: windows, address: 203.0.113.11, ports: 15000-15999}
clusters:
  desk:
    os: windows
    pool: official
    credential: admin
    winrm: {}
    hosts:
      desk-1: 10.0.1.21
      desk-2: {address: 10.0.1.22}
  behind:
    os: windows
    pool: official
    credential: admin
    proxy: winproxy
    hosts:
      behind-1: {address: 10.0.2.21, forward_port: 15000}
      behind-2: {address: 10.0.2.22, forward_port: 15001}
  itself:
    os: windows
    pool: official
    credential: admin
    hosts:
      proxy-1: {address: 203.0.113.11, port: 15500}
"""
SHA256 = "ab" * 32


def refused(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """The lines of the error, each without its file."""
    text = WINDOWS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = written(folder, "fleet.yaml", text)
    with pytest.raises(InvalidFileError) as caught:
        load_fleet(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def accepted(folder: Path, *changes: tuple[str, str]) -> None:
    text = WINDOWS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    assert load_fleet(written(folder, "fleet.yaml", text)).clusters


DESK_2 = "desk-2: {address: 10.0.1.22}"


def desk_2(more: str) -> tuple[str, str]:
    return DESK_2, f"desk-2: {{address: 10.0.1.22, {more}}}"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "winrm: {}",
            "winrm: {insecure: true}",
            "16:13: clusters.desk.winrm.insecure: expected insecure at hosts",
        ),
        (
            "winrm: {}",
            "winrm: {ignore_certificate: true}",
            "expected ignore_certificate at hosts only, found it",
        ),
        ("winrm: {}", "become: true", "16:5: clusters.desk.become: expected no become in a Windows cluster"),
        (
            "winrm: {}",
            "winrm: {scheme: http, transport: basic}",
            "16:21: clusters.desk.winrm.scheme: expected scheme: https for transport: basic",
        ),
        (
            *desk_2("winrm: {scheme: http, transport: basic}"),
            "19:52: clusters.desk.hosts.desk-2.winrm.scheme: expected scheme: https for transport: basic",
        ),
        (
            *desk_2("credential: mapped, winrm: {scheme: http, transport: certificate}"),
            "certificate, found http",
        ),
        (
            *desk_2("credential: key"),
            'a credential with a password for transport: ntlm, found "key" without one; WinRM can\'t',
        ),
        (
            *desk_2("credential: half, winrm: {transport: certificate}"),
            'for transport: certificate, found "half" without key_file',
        ),
        (*desk_2("winrm: {transport: certificate}"), 'found "admin" without certificate_file and key_file'),
        (
            *desk_2(f"winrm: {{fingerprint: {SHA256}, ca_file: c, certificate_name: n}}"),
            "fingerprint alone, as it decides by itself, found ca_file and certificate_name beside it",
        ),
        (
            *desk_2("winrm: {fingerprint: ab}"),
            "expected a certificate's SHA-256 fingerprint, 64 hexadecimal digits",
        ),
        (
            *desk_2("host_key: ssh-ed25519 AAAA"),
            "expected no host_key at a Windows host, found one; WinRM has",
        ),
        (
            "os: linux, address: 203.0.113.10, credential: key",
            "os: linux, address: a, credential: mapped",
            "at a Linux",
        ),
        (
            "os: linux, address: 203.0.113.10, credential: key",
            "os: linux, address: a, credential: user",
            'a password or both for SSH, found "user" with neither; a user alone is enough for winrm:',
        ),
        (
            *desk_2("credential: user"),
            'for transport: ntlm, found "user" without one; a user alone is enough for winrm: {transport:',
        ),
        ("credential: key}", "credential: key, ports: 1-2}", "expected ports at Windows proxies only"),
        (
            "ports: 15000-15999",
            "ports: 15999-15000",
            "expected two ports, the lower first, such as 15000-15999",
        ),
        (
            "forward_port: 15001",
            "forward_port: 16000",
            'those that "winproxy" forwards, found 16000',
        ),
        ("forward_port: 15001", "forward_port: 15000", 'which "winproxy" forwards to "behind-1"'),
        (
            "forward_port: 15001",
            "forward_port: 15500",
            'on which its own WinRM or SSH listens (host "proxy-1")',
        ),
        (
            ", forward_port: 15001",
            "",
            "found none; `longshore fleet forwards --write` gives each host one",
        ),
    ],
)
def test_one_mistake_is_one_problem(tmp_path: Path, old: str, new: str, expected: str) -> None:
    (line,) = refused(tmp_path, (old, new))
    assert expected in line


def test_what_a_cluster_says_is_wrong_once_however_many_hosts_it_has(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, ("credential: admin\n    winrm", "credential: key\n    winrm"))
    assert "clusters.desk.credential: expected a credential with a password for transport: ntlm" in line


@pytest.mark.parametrize(
    "more",
    [
        "winrm: {scheme: http}",
        "winrm: {scheme: http, transport: basic, insecure: true}",
        "winrm: {ignore_certificate: true}",
        "winrm: {transport: kerberos}, credential: key",
        "winrm: {transport: kerberos}, credential: user",
        "winrm: {transport: certificate}, credential: mapped",
        "winrm: {fingerprint: '" + ":".join(["AB"] * 32) + "'}",
        "proxy: bastion",
    ],
)
def test_a_host_may_say(tmp_path: Path, more: str) -> None:
    accepted(tmp_path, desk_2(more))


def test_a_pin_at_a_host_goes_before_the_authority_of_its_cluster(tmp_path: Path) -> None:
    accepted(tmp_path, ("winrm: {}", "winrm: {ca_file: c}"), desk_2(f"winrm: {{fingerprint: {SHA256}}}"))


def test_insecure_hosts_of_a_cluster_over_http_are_each_named(tmp_path: Path) -> None:
    http = ("winrm: {}", "winrm: {scheme: http, transport: basic}")
    accepted(
        tmp_path,
        http,
        ("desk-1: 10.0.1.21", "desk-1: {address: a, winrm: {insecure: true}}"),
        desk_2("winrm: {insecure: true}"),
    )


def test_a_linux_host_with_a_credential_for_winrm_is_refused(tmp_path: Path) -> None:
    text = "os: windows\n    pool: official\n    credential: admin\n    winrm: {}"
    lines = refused(tmp_path, (text, "os: linux\n    pool: official\n    credential: mapped"))
    assert any("expected certificate_file for WinRM only" in line for line in lines)


def test_a_pin_decides_alone_even_where_the_cluster_has_one(tmp_path: Path) -> None:
    (line,) = refused(tmp_path, ("winrm: {}", f"winrm: {{fingerprint: {SHA256}, certificate_name: n}}"))
    assert "clusters.desk.winrm.fingerprint" in line
