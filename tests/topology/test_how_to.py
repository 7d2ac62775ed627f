"""The how-tos for hosts and proxies, done on a machine of their own.

The machine is a mount and a network namespace: its /etc is a copy that is thrown away, its homes are
empty, and the pages' addresses are its own. What a page says is run there as it stands.
"""

import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.documents import blocks
from tests.support.privilege import needs

pytestmark = pytest.mark.topology
HOST = "how-to/prepare-a-linux-host.md"
PROXY = "how-to/prepare-a-linux-proxy.md"

MACHINE = """\
set -eu
ip link set lo up
for address in 10.0.0.11 10.0.0.12 10.0.0.13 203.0.113.10; do ip address add "$address/32" dev lo; done
scratch=$(mktemp -d)
mount -t tmpfs tmpfs "$scratch"
mkdir "$scratch/changes" "$scratch/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$scratch/changes,workdir=$scratch/work" /etc
mount -t tmpfs -o mode=0755 tmpfs /home
mount -t tmpfs -o mode=0700 tmpfs /root
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -m 0755 /run/sshd
cd "$(mktemp -d -p /root)"
export HOME=/root
install -d -m 0700 /root/.ssh
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
printf 'Host *\\n  StrictHostKeyChecking no\\n  LogLevel ERROR\\n' > /root/.ssh/config
start_sshd() {
    /usr/sbin/sshd -D -E sshd.log &
    sshd=$!
    trap 'kill "$sshd"' EXIT
    until grep -q 'Server listening' sshd.log; do kill -0 "$sshd"; sleep 0.02; done
}
"""


def _on_a_machine(*parts: str) -> subprocess.CompletedProcess[str]:
    needs("sshd", "ssh", "ip", "unshare", "useradd", "visudo", root=True)
    return subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", "-s"],
        input="\n".join([MACHINE, *parts]),
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _before_the_login(page: str) -> list[str]:
    """All blocks but the last, which logs in and so needs sshd to run."""
    return blocks(page, "sh")[:-1]


def test_a_host_prepared_as_the_page_says_takes_the_login_it_shows() -> None:
    done = _on_a_machine(*_before_the_login(HOST), "start_sshd", blocks(HOST, "sh")[-1])
    assert done.returncode == 0, done.stderr
    assert "/etc/sudoers.d/longshore: parsed OK" in done.stdout
    assert done.stdout.splitlines()[-1] == "ready on deploy"


def test_a_host_prepared_as_the_page_says_lets_the_login_become_root() -> None:
    needs("sudo")
    command = "ssh -i longshore-deploy -o BatchMode=yes deploy@10.0.0.11 sudo -n id -un"
    done = _on_a_machine(*_before_the_login(HOST), "start_sshd", command)
    assert done.stdout.splitlines()[-1] == "root", done.stderr


def _proxy(*commands: str) -> subprocess.CompletedProcess[str]:
    (settings,) = blocks(PROXY, "sshd_config")
    make_login, *checks = _before_the_login(PROXY)[1:]
    return _on_a_machine(
        _before_the_login(PROXY)[0],
        make_login,
        f"printf %s {shlex.quote(settings)} > /etc/ssh/sshd_config.d/longshore.conf",
        *checks,
        "start_sshd",
        *commands,
    )


def test_a_proxy_prepared_as_the_page_says_forwards_to_the_hosts_it_names() -> None:
    done = _proxy(blocks(PROXY, "sh")[-1])
    assert (done.returncode, done.stdout) == (0, "SSH-"), done.stderr


@pytest.mark.parametrize(
    "command",
    [
        *blocks(PROXY, "sh-that-fails"),
        "ssh -i longshore-jump -o BatchMode=yes -T jump@203.0.113.10 < /dev/null",
        "ssh -i longshore-jump -o BatchMode=yes -W 10.0.0.13:22 jump@203.0.113.10 < /dev/null",
        "ssh -i longshore-jump -o BatchMode=yes -W 10.0.0.11:2222 jump@203.0.113.10 < /dev/null",
        "ssh -i longshore-jump -oBatchMode=yes -oExitOnForwardFailure=yes -NR 8022:[::1]:1 jump@203.0.113.10",
        "printf 'ls\\n' | sftp -q -i longshore-jump -o BatchMode=yes -b - jump@203.0.113.10",
    ],
    ids=["command", "shell", "another host", "another port", "listening", "files"],
)
def test_a_proxy_prepared_as_the_page_says_refuses_all_else(command: str) -> None:
    done = _proxy(f"if timeout 10 sh -c {shlex.quote(command)}; then echo allowed; else echo refused; fi")
    assert done.stdout.splitlines()[-1:] == ["refused"], done.stderr
    assert "uid=" not in done.stdout


@pytest.mark.parametrize("layer", ["the key's options", "sshd's settings"])
def test_either_of_the_proxys_two_layers_is_enough_to_refuse(layer: str) -> None:
    """A key that is added without its options, or a settings file that is lost, opens nothing."""
    (settings,) = blocks(PROXY, "sshd_config")
    key, make_login = _before_the_login(PROXY)[:2]
    if layer == "the key's options":
        settings = "Match User jump\n    AuthorizedKeysFile /etc/ssh/authorized_keys/%u\n"
        command = "ssh -i longshore-jump -o BatchMode=yes -W 10.0.0.13:22 jump@203.0.113.10 < /dev/null"
    else:
        make_login += "cp longshore-jump.pub /etc/ssh/authorized_keys/jump\n"
        command = "ssh -i longshore-jump -o BatchMode=yes jump@203.0.113.10 id"
    done = _on_a_machine(
        key,
        make_login,
        f"printf %s {shlex.quote(settings)} > /etc/ssh/sshd_config.d/longshore.conf",
        "start_sshd",
        f"if timeout 10 {command}; then echo allowed; else echo refused; fi",
    )
    assert done.stdout.splitlines()[-1:] == ["refused"], done.stderr


def test_this_machine_is_untouched_by_all_that() -> None:
    _proxy("true")
    assert "jump:" not in Path("/etc/passwd").read_text()
    assert not Path("/etc/ssh/authorized_keys").exists()
