"""A Kerberos realm on loopback: a real KDC, of Debian's krb5-kdc, with a user and the service of one host."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.tcp import free_port, listens
from tests.support.privilege import needs

START_SECONDS = 10.0
REALM = "LAB.EXAMPLE"
USER, PASSWORD = f"deploy@{REALM}", "staple-Tr0ub4dor"
HOST = "win-1.lab.example"
_CLIENT = """\
[libdefaults]
  default_realm = {realm}
  dns_lookup_kdc = false
  dns_canonicalize_hostname = false
  rdns = false
[realms]
  {realm} = {{
    kdc = 127.0.0.1:{port}
  }}
[domain_realm]
  .lab.example = {realm}
"""
_SERVER = """\
[realms]
  {realm} = {{
    database_name = {folder}/principal
    key_stash_file = {folder}/stash
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
  }}
[logging]
  kdc = FILE:{folder}/kdc.log
"""


@dataclass(frozen=True)
class Realm:
    """The realm.

    Attributes:
        environment: by which Kerberos' programs and libraries find it; no ticket is there at first.
    """

    environment: dict[str, str]

    def get_ticket(self) -> None:
        """Get the user's ticket into the cache that the environment names."""
        _run(["kinit", USER], self.environment, given=f"{PASSWORD}\n")


@contextmanager
def running_realm(folder: Path) -> Iterator[Realm]:
    """A realm whose files are in ``folder``."""
    needs("krb5kdc", "kdb5_util", "kadmin.local", "kinit")
    port = free_port()
    values = {"realm": REALM, "folder": folder, "port": port}
    (folder / "krb5.conf").write_text(_CLIENT.format(**values))
    (folder / "kdc.conf").write_text(_SERVER.format(**values))
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "KRB5_CONFIG": str(folder / "krb5.conf"),
        "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
        "KRB5CCNAME": f"FILE:{folder}/tickets",
        "KRB5_KTNAME": f"FILE:{folder}/keytab",
    }
    _run(["kdb5_util", "create", "-s", "-P", "of nobody"], environment)
    for asked in (
        f"addprinc -pw {PASSWORD} {USER}",
        f"addprinc -randkey HTTP/{HOST}",
        f"ktadd -k {folder}/keytab HTTP/{HOST}",
    ):
        _run(["kadmin.local", "-q", asked], environment)
    with subprocess.Popen(["krb5kdc", "-n"], env=environment, stdout=subprocess.DEVNULL) as kdc:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not listens(kdc.pid, port):
                assert time.monotonic() < deadline, "the KDC doesn't start"
                time.sleep(0.02)
            yield Realm(environment)
        finally:
            kdc.terminate()


def _run(words: list[str], environment: dict[str, str], given: str = "") -> None:
    done = subprocess.run(words, env=environment, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
