"""Paramiko in threads: connect, and ten steps as one detached script whose log is followed."""

import secrets

from common import STEPS, Lab, connect, main

_SHIP_AND_FOLLOW = (
    "umask 077; d=.bench-{mark}; mkdir $d || exit 1; head -c {size} > $d/script; : > $d/log; "
    "setsid sh $d/script > $d/log 2>&1 < /dev/null & "
    "tail -f -n +1 $d/log & t=$!; read _; kill $t"
)


def _script(mark: str) -> bytes:
    folder = f".bench-{mark}"
    steps = [f"echo step {number}; echo {number} $? >> {folder}/steps" for number in range(STEPS)]
    return "\n".join([*steps, f"echo {mark}", ""]).encode()


def host(lab: Lab, address: str) -> bool:
    """Ship a script, start it detached, follow its log to the mark, and leave."""
    mark = secrets.token_hex(8)
    body = _script(mark)
    with connect(lab, address) as client:
        channel = client.get_transport().open_session(timeout=30)
        channel.settimeout(60)
        channel.exec_command(_SHIP_AND_FOLLOW.format(mark=mark, size=len(body)))
        channel.sendall(body)
        seen = b""
        while mark.encode() not in seen:
            part = channel.recv(65536)
            if not part:
                return False
            seen += part
        channel.shutdown_write()
        channel.recv_exit_status()
        channel.close()
    return seen.count(b"step ") == STEPS


main(host)
