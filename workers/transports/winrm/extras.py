"""What the optional packages for Kerberos and CredSSP raise when a login fails; nothing where they aren't."""

import re
from importlib import import_module


def _errors(module: str, *names: str) -> tuple[type[Exception], ...]:
    try:
        loaded = import_module(module)
    except ImportError:
        return ()
    return tuple(getattr(loaded, name) for name in names)


_KERBEROS = "winrm.vendor.requests_kerberos.exceptions"
_CREDSSP = "requests_credssp.exceptions"
NO_TICKET = _errors(_KERBEROS, "KerberosExchangeError")
"""Kerberos on this machine gave nothing to send: no ticket, one that is too old, or no such service."""
UNPROVEN_HOST = _errors(_KERBEROS, "MutualAuthenticationError")
"""The host did not prove that it is the one that the ticket is for."""
REFUSED = _errors(_CREDSSP, "AuthenticationException", "NTStatusException")
"""The host refused a login by CredSSP, or doesn't offer any."""


def kerberos_reason(error: Exception) -> str:
    """What Kerberos said in the end: its texts come as the ``repr`` of tuples, the telling one last."""
    texts = re.findall(r"""\('([^']+)', -?\d+\)|\("([^"]+)", -?\d+\)""", str(error))
    return next((one or other for one, other in reversed(texts)), str(error))
