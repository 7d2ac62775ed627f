"""The accepting side of NTLM in the lab, against pyspnego's asking side."""

import hashlib

import pytest
import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import BadBindingsError

from lab.winrm.ntlm import RefusedError, acceptor, step

USER, PASSWORD = "deploy", "Tr0ub4dor-and-3"
OURS, OTHERS = (b"tls-server-end-point:" + hashlib.sha256(name).digest() for name in (b"ours", b"others"))


def log_in(
    *, user: str = USER, password: str = PASSWORD, protocol: str = "ntlm", binding: bytes | None = None
) -> tuple[spnego.ContextProxy, spnego.ContextProxy]:
    """Both sides of a login that was agreed on."""
    bindings = None if binding is None else GssChannelBindings(application_data=binding)
    options = (
        spnego.NegotiateOptions.use_ntlm if protocol == "ntlm" else spnego.NegotiateOptions.use_negotiate
    )
    client = spnego.client(
        user, password, hostname="web-1", protocol=protocol, channel_bindings=bindings, options=options
    )
    server = acceptor({USER: PASSWORD}, OURS)
    token = client.step()
    while token is not None:
        answer = step(server, token)
        token = None if answer is None or client.complete else client.step(answer)
    assert server.complete
    return client, server


@pytest.mark.parametrize("protocol", ["ntlm", "negotiate"])
@pytest.mark.parametrize("user", [USER, "DEPLOY", f"LAB\\{USER}", f"{USER}@lab.example"])
def test_users_log_in_by_any_form_of_their_name(protocol: str, user: str) -> None:
    client, server = log_in(user=user, protocol=protocol)
    sealed = client.wrap_winrm(b"a message")
    assert server.unwrap_winrm(sealed.header, sealed.data) == b"a message"


@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), ("nobody", PASSWORD), (USER, "")])
def test_wrong_logins_are_refused(user: str, password: str) -> None:
    with pytest.raises(RefusedError):
        log_in(user=user, password=password)


@pytest.mark.parametrize("binding", [None, OURS])
def test_login_may_be_bound_to_our_certificate(binding: bytes | None) -> None:
    log_in(binding=binding)


def test_login_that_was_made_for_another_certificate_is_refused() -> None:
    # As when somebody in the middle passes it on.
    with pytest.raises(RefusedError) as caught:
        log_in(binding=OTHERS)
    assert isinstance(caught.value.__cause__, BadBindingsError)


def test_login_whose_message_was_changed_is_refused() -> None:
    client = spnego.client(
        USER, PASSWORD, hostname="web-1", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
    )
    server = acceptor({USER: PASSWORD}, OURS)
    proof = bytearray(client.step(server.step(client.step() or b"") or b"") or b"")
    proof[-1] ^= 1
    with pytest.raises(RefusedError):
        step(server, bytes(proof))


@pytest.mark.parametrize("token", [b"NTLMSSP\x00", b"nonsense"])
def test_nonsense_is_refused(token: bytes) -> None:
    with pytest.raises(RefusedError):
        step(acceptor({USER: PASSWORD}, None), token)
