"""The accepting side of NTLM, SPNEGO and CredSSP, for the users of one machine."""

from collections.abc import Mapping

from spnego import ContextProxy, NegotiateOptions
from spnego._context import GSSMech
from spnego._credssp import CredSSPProxy
from spnego._negotiate import NegotiateProxy
from spnego._ntlm import NTLMProxy
from spnego._ntlm_raw.crypto import compute_response_v2, hmac_md5, md5, ntowfv1, ntowfv2, rc4k
from spnego._ntlm_raw.messages import Authenticate, AvFlags, AvId, NegotiateFlags, NTClientChallengeV2
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import BadBindingsError, InvalidTokenError

from lab.windows.machine import bare

_NO_BINDINGS = bytes(16)
_NO_MIC = bytes(16)
_V1_RESPONSE = 24  # bytes; every later response is longer


class RefusedError(Exception):
    """A login that is not good; the cause says why."""


def step(attempt: ContextProxy, token: bytes) -> bytes | None:
    """The answer to a login's next message.

    Args:
        attempt: the login.
        token: what came.

    Raises:
        RefusedError: a wrong password, a message that was changed, or none at all.
    """
    try:
        return attempt.step(token)
    except Exception as error:  # pyspnego's own, and whatever reading nonsense raises in it
        raise RefusedError from error


def acceptor(passwords: Mapping[str, str], channel_binding: bytes | None) -> NegotiateProxy:
    """One login by SPNEGO or by bare NTLM.

    Args:
        passwords: of the users, by their names.
        channel_binding: what the server's certificate is named by; None without TLS.
    """
    inner = _NtlmAcceptor(passwords, channel_binding)
    return NegotiateProxy(
        usage="accept",
        protocol="negotiate",
        options=NegotiateOptions.use_negotiate,
        _negotiate_contexts={GSSMech.ntlm: inner},
    )


def credssp_acceptor(passwords: Mapping[str, str]) -> CredSSPProxy:
    """One login by CredSSP, as ``acceptor``; it is bound to the TLS that CredSSP itself speaks."""
    return CredSSPProxy(
        usage="accept", protocol="credssp", credssp_negotiate_context=acceptor(passwords, None)
    )


class _NtlmAcceptor(NTLMProxy):
    """pyspnego's NTLM, with passwords of its own.

    pyspnego takes an acceptor's passwords from a file that the whole process's environment names. Here many
    machines with different passwords live in one process, so the last message is checked against given ones.
    Only the second version of NTLM is taken, as Windows has it by default since 2008.
    """

    def __init__(self, passwords: Mapping[str, str], channel_binding: bytes | None) -> None:
        # As an initiator it asks for no file; the accepting steps need nothing else from the constructor.
        super().__init__("nobody", "nothing")
        self.usage = "accept"
        self._is_wrapped = True
        self._passwords = {name.casefold(): password for name, password in passwords.items()}
        self._binding = channel_binding
        self._principal = ""

    @property
    def client_principal(self) -> str | None:
        return self._principal or None

    def _step_accept_authenticate(self, token: bytes, channel_bindings: GssChannelBindings | None) -> None:
        del channel_bindings  # not pyspnego's way, which demands them: Windows' default is relaxed
        negotiate, challenge = self._temp_negotiate, self._temp_challenge
        auth = Authenticate.unpack(token)
        user = auth.user_name or ""
        password = self._passwords.get(bare(user).casefold())
        response = auth.nt_challenge_response or b""
        if negotiate is None or challenge is None or password is None or len(response) <= _V1_RESPONSE:
            raise InvalidTokenError(context_msg="no such user, or no response of NTLM version 2")
        answer = NTClientChallengeV2.unpack(response[16:])
        expected, _, key = compute_response_v2(
            ntowfv2(user, ntowfv1(password), auth.domain_name),
            challenge.server_challenge,
            answer.challenge_from_client,
            answer.time_stamp,
            answer.av_pairs,
        )
        if response != expected:
            raise InvalidTokenError(context_msg="wrong password")
        self._check_bindings(answer.av_pairs.get(AvId.channel_bindings, _NO_BINDINGS))
        self._session_key = _session_key(auth, key)
        if answer.av_pairs.get(AvId.flags, 0) & AvFlags.mic:
            expected_mic, auth.mic = auth.mic, _NO_MIC
            if hmac_md5(self._session_key, negotiate.pack() + challenge.pack() + auth.pack()) != expected_mic:
                raise InvalidTokenError(context_msg="the message was changed on its way")
        self._principal = user
        self._context_attr = auth.flags
        self._complete = True

    def _check_bindings(self, given: bytes) -> None:
        if self._binding is None or given == _NO_BINDINGS:
            return
        if given != md5(GssChannelBindings(application_data=self._binding).pack()):
            raise BadBindingsError(context_msg="the login was made for another TLS connection")


def _session_key(auth: Authenticate, key: bytes) -> bytes:
    exchanged = auth.flags & NegotiateFlags.key_exch
    if exchanged and auth.flags & (NegotiateFlags.sign | NegotiateFlags.seal):
        return rc4k(key, auth.encrypted_random_session_key or b"")
    return key
