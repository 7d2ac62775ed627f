"""What an Ansible inventory says of WinRM, as a fleet's winrm settings."""

from collections.abc import Callable
from typing import Any

from config.importing.inventory import Variables

_SCHEME = "ansible_winrm_scheme"
_TRANSPORT = "ansible_winrm_transport"
_CA_FILE = "ansible_winrm_ca_trust_path"
_VALIDATION = "ansible_winrm_server_cert_validation"
WINRM_VARIABLES = frozenset({_SCHEME, _TRANSPORT, _CA_FILE, _VALIDATION})
_HTTP_PORT = "5985"
_TRANSPORTS = ("ntlm", "kerberos", "credssp", "basic")
_BASIC = {"ssl": "basic", "plaintext": "basic"}


def winrm_settings(variables: Variables, port: str, note: Callable[[str], None]) -> dict[str, Any]:
    """The settings that differ from a fleet's defaults.

    Args:
        variables: of the host, with those of its groups.
        port: its port as the inventory has it; empty for none.
        note: told what is not carried over.
    """
    values = {name: variables[name][0] for name in WINRM_VARIABLES if name in variables}
    # Templates are Ansible's to fill in.
    said = {name: value for name, value in values.items() if value and "{{" not in value}
    settings: dict[str, Any] = {}
    # Ansible takes http for granted at this port alone.
    scheme = said.get(_SCHEME, "http" if port == _HTTP_PORT else "https")
    if scheme == "http":
        settings["scheme"] = "http"
    transport = _transport(said.get(_TRANSPORT, "ntlm"), note)
    if transport == "basic" and scheme == "http":
        note("basic over http, which would show the password; ntlm is assumed")
    elif transport != "ntlm":
        settings["transport"] = transport
    if scheme == "https":
        if _CA_FILE in said:
            settings["ca_file"] = said[_CA_FILE]
        if said.get(_VALIDATION) == "ignore":
            settings["ignore_certificate"] = True
    return settings


def _transport(said: str, note: Callable[[str], None]) -> str:
    first = said.strip("[] ").split(",")[0].strip("'\" ").lower()
    known = _BASIC.get(first, first)
    if known in _TRANSPORTS:
        return known
    if known == "certificate":
        note("the login by certificate, which needs a credential with certificate_file; ntlm is assumed")
    else:
        note(f'the WinRM transport "{said}"; ntlm is assumed')
    return "ntlm"
