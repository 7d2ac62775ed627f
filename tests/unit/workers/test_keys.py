"""Private keys of all kinds and formats are read; host keys are compared by type and content."""

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from config.causes import Cause
from config.fleet import Credential
from workers.credentials import Login, Secret
from workers.transports.base import TransportError
from workers.transports.endpoints import Endpoint
from workers.transports.keys import check_host_key, key_types, private_key

PASSPHRASE = "open-sesame"  # noqa: S105 - of keys that exist for one test
ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)


def login_with(text: str, passphrase: str | None = None) -> Login:
    secret = None if passphrase is None else Secret(passphrase)
    return Login(user="deploy", key=Secret(text), key_file="/keys/id", passphrase=secret)


def written(key: object, form: PrivateFormat, passphrase: str = "") -> str:
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, lock).decode()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE])
@pytest.mark.parametrize(("key", "name"), [(ED25519, "ssh-ed25519"), (RSA, "ssh-rsa")])
def test_key_is_read_in_each_format(key: object, name: str, form: PrivateFormat, passphrase: str) -> None:
    parsed = private_key(login_with(written(key, form, passphrase), passphrase or None))
    assert parsed is not None
    assert parsed.get_name() == name
    assert parsed.can_sign()


def test_every_ecdsa_key_is_read_whatever_its_length() -> None:
    # Without a comment, one in two of these needs no padding, which readers have stumbled over.
    for _ in range(12):
        key = ec.generate_private_key(ec.SECP256R1())
        parsed = private_key(login_with(written(key, PrivateFormat.OpenSSH)))
        assert parsed is not None
        assert parsed.get_name() == "ecdsa-sha2-nistp256"


def test_passphrase_for_a_key_that_is_not_locked_does_no_harm() -> None:
    assert private_key(login_with(written(ED25519, PrivateFormat.OpenSSH), PASSPHRASE)) is not None


def test_key_is_parsed_once() -> None:
    text = written(ED25519, PrivateFormat.OpenSSH)
    assert private_key(login_with(text)) is private_key(login_with(text))


@pytest.mark.parametrize("form", [PrivateFormat.OpenSSH, PrivateFormat.PKCS8])
@pytest.mark.parametrize("passphrase", [None, "wrong-passphrase"])
def test_locked_key_that_stays_locked_is_credential_and_shows_nothing(
    form: PrivateFormat, passphrase: str | None
) -> None:
    text = written(ED25519, form, PASSPHRASE)
    with pytest.raises(TransportError, match="/keys/id") as caught:
        private_key(login_with(text, passphrase))
    assert caught.value.cause is Cause.CREDENTIAL
    assert "wrong-passphrase" not in str(caught.value)
    assert text.splitlines()[2] not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "hello", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_credential(text: str) -> None:
    with pytest.raises(TransportError, match="no private key"):
        private_key(login_with(text))


def test_kind_that_is_not_supported_is_named_with_those_that_are() -> None:
    key = dsa.generate_private_key(2048)
    with pytest.raises(TransportError, match="ed25519, ECDSA or RSA"):
        private_key(login_with(written(key, PrivateFormat.PKCS8)))


def endpoint(*keys: str) -> Endpoint:
    return Endpoint(
        name="web-1", address="10.0.0.1", port=22, credential=Credential(user="x", key_file="/k"), keys=keys
    )


def test_known_host_key_is_accepted_with_or_without_a_comment() -> None:
    check_host_key(
        endpoint("ssh-rsa BBBB", "ssh-ed25519 AAAA root@web-1"), "ssh-ed25519 AAAA", accept_unknown=False
    )


@pytest.mark.parametrize("known", ["ssh-ed25519 AAAB", "ssh-rsa AAAA"])
@pytest.mark.parametrize("accept_unknown", [False, True])
def test_other_host_key_is_changed_even_where_unknown_ones_are_taken(
    known: str,
    accept_unknown: bool,
) -> None:
    with pytest.raises(TransportError) as caught:
        check_host_key(endpoint(known), "ssh-ed25519 AAAA", accept_unknown=accept_unknown)
    assert caught.value.cause is Cause.HOST_KEY_CHANGED
    assert caught.value.observed_key == "ssh-ed25519 AAAA"


def test_types_of_known_keys_are_asked_for_in_their_order() -> None:
    assert key_types(("ssh-rsa A", "ssh-ed25519 B", "ssh-rsa C")) == ("ssh-rsa", "ssh-ed25519")
