"""Who is asking: logins of one connection."""

import base64
import binascii
import hashlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.windows.machine import bare
from lab.winrm.host import WinrmHost
from lab.winrm.ntlm import RefusedError, acceptor, credssp_acceptor, step

if TYPE_CHECKING:
    from spnego import ContextProxy

_MUTUAL: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a request's Authorization.

    Attributes:
        user: who it is; empty for nobody, who is answered with 401.
        headers: values of ``WWW-Authenticate`` for the answer.
    """

    user: str
    headers: tuple[str, ...] = ()


class Login:
    """The login of one connection: one by Negotiate or CredSSP holds for all that follows on it.

    Attributes:
        context: seals and unseals its messages; None before such a login.
    """

    def __init__(self, host: WinrmHost, peer_certificate: bytes | None, *, tls: bool) -> None:
        """Nobody, at first.

        Args:
            host: decides who may log in.
            peer_certificate: the client's, DER; None where it showed none.
            tls: whether the connection is over TLS.
        """
        self._host = host
        self._tls = tls
        self._peer_certificate = peer_certificate
        self._user = ""
        self._attempt: ContextProxy | None = None
        self.context: ContextProxy | None = None

    def judge(self, authorization: str) -> Verdict:
        """Who asks, by a request's Authorization header, or by what was before."""
        scheme, _, proof = authorization.strip().partition(" ")
        match scheme.lower():
            case "":
                return Verdict(self._user) if self._user else self._refusal()
            case "negotiate":
                return self._stepped("Negotiate", proof)
            case "credssp" if self._host.configuration.credssp:
                return self._stepped("CredSSP", proof)
            case "basic" if self._host.configuration.basic:
                return self._granted(self._by_password(proof))
            case url if url == _MUTUAL:
                return self._granted(self._by_certificate())
        return self._refusal()

    def _granted(self, user: str) -> Verdict:
        # Not for the connection: such a proof comes with every request.
        return Verdict(user) if user and not self._host.trouble.logins_refused else self._refusal()

    def _refusal(self) -> Verdict:
        taken = self._host.configuration
        possible = {"Negotiate": True, "CredSSP": taken.credssp, 'Basic realm="WSMAN"': taken.basic}
        return Verdict("", tuple(name for name, offered in possible.items() if offered))

    def _stepped(self, scheme: str, proof: str) -> Verdict:
        """One step of a login that takes several."""
        attempt = self._attempt or self._begun(scheme)
        self._attempt = self.context = None
        self._user = ""
        try:
            token = step(attempt, base64.b64decode(proof, validate=True))
        except (RefusedError, binascii.Error):
            return self._refusal()
        answer = f"{scheme} {base64.b64encode(token).decode()}" if token else ""
        if not attempt.complete:
            self._attempt = attempt
            return Verdict("", (answer or scheme,))
        if self._host.trouble.logins_refused:
            return self._refusal()
        self._user, self.context = self._named(attempt.client_principal or ""), attempt
        return Verdict(self._user, (answer,) if answer else ())

    def _begun(self, scheme: str) -> "ContextProxy":
        if scheme == "CredSSP":
            return credssp_acceptor(self._passwords())
        return acceptor(self._passwords(), self._channel_binding())

    def _passwords(self) -> dict[str, str]:
        return {bare(name): password for name, password in self._host.machine.passwords.items()}

    def _channel_binding(self) -> bytes | None:
        certificate = self._host.certificate
        return certificate.channel_binding if self._tls and certificate else None

    def _by_password(self, proof: str) -> str:
        try:
            user, _, password = base64.b64decode(proof, validate=True).decode().partition(":")
        except ValueError:
            return ""
        return self._named(user) if self._host.machine.accepts(user, password) else ""

    def _by_certificate(self) -> str:
        if self._peer_certificate is None:
            return ""
        fingerprint = hashlib.sha256(self._peer_certificate).hexdigest()
        return self._named(self._host.configuration.certificate_users.get(fingerprint, ""))

    def _named(self, user: str) -> str:
        """The user by its own name, however the client writes it."""
        names = (bare(each) for each in self._host.machine.passwords)
        return next((each for each in names if each.lower() == bare(user).lower()), "")


def peer_certificate(link: object) -> bytes | None:
    """The certificate that a client showed, DER."""
    return link.getpeercert(binary_form=True) if isinstance(link, ssl.SSLSocket) else None
