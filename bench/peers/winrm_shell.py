"""pywinrm in threads, as somebody who counts requests uses it: ten commands in one shell that is kept."""

import base64

import winrm
from winrm_common import main


def host(session: winrm.Session, step: str, count: int) -> list[bytes]:
    """Open a shell, run ten commands of PowerShell in it one after another, close it."""
    protocol = session.protocol
    command = f"powershell -encodedcommand {base64.b64encode(step.encode('utf-16-le')).decode()}"
    shell = protocol.open_shell()
    printed = []
    for _ in range(count):
        command_id = protocol.run_command(shell, command)
        printed.append(protocol.get_command_output(shell, command_id)[0])
        protocol.cleanup_command(shell, command_id)
    protocol.close_shell(shell)
    return printed


main(host)
