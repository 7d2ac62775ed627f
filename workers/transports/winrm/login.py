"""Logging in to a Windows host: certificate, login, and the one shell of the session."""

import socket
from ipaddress import ip_address
from typing import Any

import winrm.transport

from config.causes import Cause
from config.fleet import Credential, WinRM
from workers.credentials import Secret, existing_file, resolve_reference
from workers.transports.base import Deadlines, StageClock, TransportError
from workers.transports.endpoints import Endpoint
from workers.transports.tls import ClientCertificate, Redial, TlsTerms, secure
from workers.transports.winrm.faults import (
    ACCESS_DENIED,
    DeniedError,
    FaultError,
    ForeignError,
    LateError,
    LostError,
    TicketError,
    UnclearError,
    WireError,
)
from workers.transports.winrm.wire import Wire

_EXTRAS = {"kerberos": "HAVE_KERBEROS", "credssp": "HAVE_CREDSSP"}
_READABLE = ("basic", "certificate")


def log_in(
    link: socket.socket,
    host: Endpoint,
    settings: WinRM,
    *,
    redial: Redial,
    deadlines: Deadlines,
    stages: StageClock,
) -> Wire:
    """Check the host's certificate, log in and open a shell; the link is closed when that fails.

    Args:
        link: connected to the host, or to what is forwarded to it.
        host: the host by its own name, which its certificate must be for.
        settings: how WinRM is spoken with it.
        redial: connects once more; asked after a certificate was refused, to see which it is.
        deadlines: ``handshake`` for TLS, ``login`` for each request of the login.
        stages: times ``tls`` and ``login``.

    Raises:
        TransportError: it didn't work.
    """
    try:
        options = _options(host, settings)
        if settings.scheme == "https":
            with stages("tls"):
                terms = _terms(host, settings)
                link = secure(link, host, terms, seconds=deadlines.handshake, redial=redial)
        with stages("login"):
            return _open_shell(link, host, settings, options, deadlines)
    except BaseException:
        link.close()
        raise


def _options(host: Endpoint, settings: WinRM) -> dict[str, Any]:
    """What pywinrm is told; read before the first byte is sent, but it is the login that needs it."""
    try:
        _check_possible(host, settings)
        return {
            "endpoint": f"{settings.scheme}://{_in_url(host.address)}:{host.port}/wsman",
            "auth_method": settings.transport,
            "message_encryption": "never" if settings.insecure or settings.scheme == "https" else "always",
            **_proof(host, settings),
        }
    except TransportError as error:
        error.stage = "login"
        raise


def _check_possible(host: Endpoint, settings: WinRM) -> None:
    extra = _EXTRAS.get(settings.transport)
    if extra is not None and not getattr(winrm.transport, extra):
        package = f"pywinrm[{settings.transport}]"
        detail = f"this worker can't log in with {settings.transport}: install {package} where it runs"
        raise host.error(Cause.CREDENTIAL, detail)
    if settings.scheme == "http" and settings.transport in _READABLE and not settings.insecure:
        detail = f"{settings.transport} over http is not encrypted; use https, or ntlm"
        raise host.error(Cause.CREDENTIAL, detail)


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _proof(host: Endpoint, settings: WinRM) -> dict[str, Any]:
    credential = host.credential
    if settings.transport == "certificate":
        files = _client_certificate(credential)
        return {"cert_pem": files.certificate_file, "cert_key_pem": files.key_file}
    if settings.transport == "kerberos":
        # A ticket of the worker's proves it; see `klist` there.
        name = _name_for_ticket(host, settings)
        return {"username": credential.user, "service": "HTTP", "kerberos_hostname_override": name}
    password = _password(credential).reveal()
    if settings.transport == "basic":
        return {"username": _for_basic(credential.user), "password": _for_basic(password)}
    return {"username": credential.user, "password": password}


def _name_for_ticket(host: Endpoint, settings: WinRM) -> str:
    """The name that the host has in its domain: tickets are for names, whatever is connected to."""
    try:
        ip_address(host.address)
    except ValueError:
        return host.address
    return settings.certificate_name or host.address


def _for_basic(text: str) -> str | bytes:
    # requests knows Latin-1 alone.
    return text if text.isascii() else text.encode()


def _password(credential: Credential) -> Secret:
    if credential.password is None:
        detail = f"the credential of user {credential.user} has no password, which this login needs"
        raise TransportError(Cause.CREDENTIAL, detail)
    return resolve_reference(credential.password, purpose=f"password of {credential.user}")


def _client_certificate(credential: Credential) -> ClientCertificate:
    if credential.certificate_file is None or credential.key_file is None:
        detail = (
            f"the credential of user {credential.user} needs certificate_file and key_file for this login"
        )
        raise TransportError(Cause.CREDENTIAL, detail)
    passphrase = None
    if credential.passphrase is not None:
        passphrase = resolve_reference(credential.passphrase, purpose=f"passphrase of {credential.key_file}")
    return ClientCertificate(
        certificate_file=existing_file(credential.certificate_file, "certificate"),
        key_file=existing_file(credential.key_file, "its key"),
        passphrase=passphrase,
    )


def _terms(host: Endpoint, settings: WinRM) -> TlsTerms:
    client = _client_certificate(host.credential) if settings.transport == "certificate" else None
    return TlsTerms(
        name=settings.certificate_name or host.address,
        ca_file=None if settings.ca_file is None else existing_file(settings.ca_file, "winrm.ca_file"),
        fingerprint=settings.fingerprint,
        anything=settings.ignore_certificate,
        client=client,
    )


def _open_shell(
    link: socket.socket, host: Endpoint, settings: WinRM, options: dict[str, Any], deadlines: Deadlines
) -> Wire:
    wire = Wire(link, deadlines, **options)
    try:
        wire.open_shell(deadlines.login)
    except WireError as error:
        refused = _refused(error, wire, host, settings)
        wire.drop("the login failed")
        raise refused from None
    except BaseException:
        wire.drop("the login was broken off")
        raise
    return wire


def _refused(error: WireError, wire: Wire, host: Endpoint, settings: WinRM) -> TransportError:
    match error:
        case DeniedError() | TicketError():
            return host.error(Cause.AUTH, _why_not_in(error, wire, host.credential.user, settings))
        case FaultError(code=code) if code == ACCESS_DENIED:
            return host.error(Cause.AUTH, f"user {host.credential.user} may not open a shell: {error}")
        case FaultError() | LateError() | UnclearError():
            return host.error(Cause.COMMAND, f"the host opened no shell: {error}")
        case ForeignError():
            return host.error(Cause.PROTOCOL, str(error))
        case LostError(silent=silent) if not wire.heard:
            return _unheard(host, settings, silent=silent)
    return host.error(Cause.CONNECTION_LOST, f"the connection was lost during the login: {error}")


def _why_not_in(error: DeniedError | TicketError, wire: Wire, user: str, settings: WinRM) -> str:
    if isinstance(error, TicketError):
        fix = f"`klist` on the worker shows its tickets, `kinit {user}` gets one"
        return f"no Kerberos login as user {user}: {error}; {fix}"
    offers = f"; the host offers {wire.offers}" if wire.offers else ""
    return f"user {user} was refused with {settings.transport}: {error}{offers}"


def _unheard(host: Endpoint, settings: WinRM, *, silent: bool) -> TransportError:
    what = "did not answer in time" if silent else "closed it without an answer"
    if settings.scheme == "http":
        return host.unheard(f"accepted the connection, but {what}", closed=not silent)
    # TLS stood, so the host itself is there, whatever it is reached through.
    cause = Cause.AUTH if settings.transport == "certificate" and not silent else Cause.PROTOCOL
    return host.error(cause, f"did the TLS handshake over the connection, but {what}", lost=not silent)
