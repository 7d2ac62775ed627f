"""pywinrm in threads, as its documentation shows it: ``Session.run_ps`` for each of ten steps."""

import winrm
from winrm_common import main


def host(session: winrm.Session, step: str, count: int) -> list[bytes]:
    """Ten calls, one after another; each makes a connection, logs in, and opens a shell."""
    return [session.run_ps(step).std_out for _ in range(count)]


main(host)
