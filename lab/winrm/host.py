"""A machine with its WinRM service: configuration, shells, switches for trouble, and what was counted."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.windows.machine import WindowsMachine
from lab.winrm.certificates import Certificate
from lab.winrm.shells import Shells
from lab.winrm.trouble import Trouble


@dataclass(frozen=True, kw_only=True, slots=True)
class Configuration:
    """The service's configuration, with Windows Server's defaults.

    Attributes:
        allow_unencrypted: messages over HTTP need no encryption.
        basic: logins with a plain password are taken.
        credssp: logins by CredSSP, which hand the password over, are taken.
        client_authority: the CA file of certificates for logging in; None takes no such login.
        certificate_users: the users of such certificates, by SHA-256 fingerprint in small hexadecimal digits.
        most_shells: that a user may have at a time.
        most_operations: commands that a user may have begun in the shells that are open. Windows counts those
            of a text shell until the shell is gone, whatever became of them.
        most_bytes: of one request.
    """

    allow_unencrypted: bool = False
    basic: bool = False
    credssp: bool = False
    client_authority: Path | None = None
    certificate_users: Mapping[str, str] = field(default_factory=dict)
    most_shells: int = 30
    most_operations: int = 1500
    most_bytes: int = 500 * 1024


class WinrmHost:
    """One machine's WinRM service, behind however many listeners.

    Attributes:
        machine: what it gives access to.
        certificate: shown to those who speak TLS; may be replaced at any time.
        configuration: may be replaced at any time.
        trouble: what is wrong with it.
        shells: that are open.
        requests: how many came, by verb; ``Login`` are those that are part of a login, or of a refused one.
        bytes_in: length of all requests' bodies.
        bytes_out: length of all answers' bodies.
    """

    def __init__(
        self,
        machine: WindowsMachine,
        *,
        certificate: Certificate | None = None,
        configuration: Configuration | None = None,
    ) -> None:
        self.machine = machine
        self.certificate = certificate
        self.configuration = configuration or Configuration()
        self.trouble = Trouble()
        self.shells = Shells(machine)
        self.requests: Counter[str] = Counter()
        self.bytes_in = 0
        self.bytes_out = 0
        self._counting = threading.Lock()

    def count(self, verb: str, size: int, answer: int) -> None:
        """Take note of a request and the sizes of its body and of its answer's."""
        with self._counting:
            self.requests[verb] += 1
            self.bytes_in += size
            self.bytes_out += answer

    def reboot(self) -> None:
        """Start the machine anew: every process and every shell is gone; connections are the server's."""
        self.shells.forget()
        self.machine.reboot()
