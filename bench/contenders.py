"""The peers: what each one is, how it is run, and how its end is read."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import namespace, processes, servers
from bench.lab import Lab
from bench.measure import Failure, MachineShare, Sample

_HERE = Path(__file__).parent / "peers"
VENV = Path(__file__).parent.parent / ".cache" / "bench-peers"
REFERENCE = "paramiko-exec"
_ANSIBLE_SSH = "-C -o ControlMaster=auto -o ControlPersist=60s"  # its own default


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Somebody else's tool with the same job.

    Attributes:
        title: what it does, for the table.
        kind: how it is run: a script of ours that keeps its own time, or a command line as people use it,
            timed from start to end.
        most: hosts at most, for tools that would take minutes.
        quick: hosts at most in a quick run.
        rounds: rounds at most.
    """

    name: str
    title: str
    kind: str
    most: int | None = None
    quick: int | None = None
    rounds: int = 100


PEERS = (
    Peer(name=REFERENCE, title="paramiko, 1 exec of true", kind="script"),
    Peer(name="paramiko-script", title="paramiko, 10 steps, detached", kind="script"),
    Peer(name="paramiko-execs", title="paramiko, 10 execs", kind="script"),
    Peer(name="fabric-exec", title="Fabric, connect and 1 exec", kind="script"),
    Peer(name="pyinfra-steps", title="pyinfra, 10 operations", kind="pyinfra", most=200, quick=20, rounds=3),
    Peer(
        name="ansible-raw",
        title="ansible raw, 10 tasks",
        kind="ansible",
        most=100,
        quick=10,
        rounds=2,
    ),
    Peer(
        name="ansible-shell",
        title="ansible shell, 10 tasks",
        kind="ansible",
        most=20,
        quick=5,
        rounds=2,
    ),
)


def measure(peer: Peer, count: int, lab: Lab, seconds: float) -> Sample:
    """Run a peer once over ``count`` hosts.

    Raises:
        Failure: it took longer than ``seconds``, or hosts failed.
    """
    folder = namespace.RUN / "peer"
    folder.mkdir(exist_ok=True)
    addresses = [servers.host_address(index) for index in range(count)]
    command, environment = _command(peer, addresses, lab, folder)
    hosts_before, share = lab.hosts.cpu_at_rest(), MachineShare()
    run = run_whole(command, seconds=seconds, environment=environment)
    host_cpu = lab.hosts.cpu_at_rest() - hosts_before
    share.stop()
    took, cpu = own_account(run, count) if peer.kind == "script" else (run.seconds, run.cpu)
    return Sample(
        hosts=count, seconds=took, client_cpu=cpu, host_cpu=host_cpu, others=share.others(run.cpu + host_cpu)
    )


def run_whole(
    command: Sequence[str], *, seconds: float, environment: Mapping[str, str]
) -> processes.ClientRun:
    """Run a peer's program to its end.

    Raises:
        Failure: it took longer than ``seconds``, or did not end well.
    """
    run = processes.run_client(command, seconds=seconds, environment=environment)
    if run.exit_code != 0:
        raise Failure(_why(run))
    return run


def own_account(run: processes.ClientRun, count: int) -> tuple[float, float]:
    """Seconds and CPU seconds that a script of ours has told, which are without the start of Python.

    Raises:
        Failure: not all of ``count`` hosts went well.
    """
    report = json.loads(run.output.splitlines()[-1])
    if report["good"] != count:
        raise Failure(f"{report['good']} of {count} hosts went well")
    return report["seconds"], report["cpu"]


def _why(run: processes.ClientRun) -> str:
    last = (run.errors or run.output).strip().splitlines()[-1:]
    end = "not done" if run.exit_code is None else f"exit code {run.exit_code}"
    return " ".join([f"{end} after {run.seconds:.0f} s:", *last])


def _command(peer: Peer, addresses: list[str], lab: Lab, folder: Path) -> tuple[list[str], dict[str, str]]:
    known_hosts = folder / "known_hosts"
    known_hosts.write_text(f"127.* {lab.hosts.host_key}\n", encoding="ascii")
    if peer.kind == "pyinfra":
        return _pyinfra(addresses, lab, folder)
    if peer.kind == "ansible":
        return _ansible(peer, addresses, lab, folder)
    description = folder / "lab.json"
    document = {
        "addresses": addresses, "user": namespace.USER, "key_file": str(lab.key_file),
        "host_key": lab.hosts.host_key, "at_once": lab.at_once,
    }  # fmt: skip
    description.write_text(json.dumps(document), encoding="utf-8")
    script = _HERE / (peer.name.replace("-", "_") + ".py")
    return [str(VENV / "bin" / "python"), str(script), str(description)], {"PYTHONDONTWRITEBYTECODE": "1"}


def _pyinfra(addresses: list[str], lab: Lab, folder: Path) -> tuple[list[str], dict[str, str]]:
    exact = folder / "known_hosts_exact"  # paramiko, beneath, knows no patterns
    exact.write_text("".join(f"{address} {lab.hosts.host_key}\n" for address in addresses), encoding="ascii")
    data = {
        "ssh_user": namespace.USER, "ssh_key": str(lab.key_file), "ssh_allow_agent": False,
        "ssh_look_for_keys": False, "ssh_known_hosts_file": str(exact), "ssh_strict_host_key_checking": "yes",
    }  # fmt: skip
    inventory = folder / "inventory.py"
    inventory.write_text(f"hosts = ({addresses!r}, {data!r})\n", encoding="utf-8")
    command = [str(VENV / "bin" / "pyinfra"), "-y", "--parallel", str(lab.at_once), str(inventory)]
    return [*command, str(_HERE / "pyinfra_steps.py")], {"PYINFRA_NO_UPDATE_CHECK": "1"}


def _ansible(peer: Peer, addresses: list[str], lab: Lab, folder: Path) -> tuple[list[str], dict[str, str]]:
    inventory = folder / "inventory.ini"
    variables = {
        "ansible_user": namespace.USER, "ansible_ssh_private_key_file": lab.key_file,
        "ansible_python_interpreter": _python_of_hosts(),
    }  # fmt: skip
    lines = ["[all]", *addresses, "[all:vars]", *(f"{key}={value}" for key, value in variables.items())]
    inventory.write_text("\n".join(lines) + "\n", encoding="utf-8")
    environment = {
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_FORKS": str(lab.at_once),
        "ANSIBLE_HOST_KEY_CHECKING": "1",
        "ANSIBLE_SSH_ARGS": f"{_ANSIBLE_SSH} -o UserKnownHostsFile={folder}/known_hosts",
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "ANSIBLE_STDOUT_CALLBACK": "default",
        "LC_ALL": "C.UTF-8",
    }
    playbook = _HERE / (peer.name.replace("-", "_") + ".yml")
    return [str(VENV / "bin" / "ansible-playbook"), "-i", str(inventory), str(playbook)], environment


def _python_of_hosts() -> str:
    """A Python that the hosts' user may run: one in somebody's home is none."""
    for candidate in ("/usr/bin/python3", "/usr/local/bin/python3", shutil.which("python3")):
        if candidate and _user_can_run(candidate):
            return candidate
    raise Failure("Ansible's modules need a Python that every user may run; try `apt-get install python3`")


def _user_can_run(program: str) -> bool:
    command = [program, "-c", ""]
    try:
        return (
            subprocess.run(command, user=namespace.USER_ID, check=False, cwd="/", timeout=20).returncode == 0
        )
    except OSError:
        return False
