"""Private keys, parsed once per process; and host keys as people and files write them."""

import io
from functools import lru_cache

import paramiko
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from config.causes import Cause
from workers.credentials import Login, Secret
from workers.transports.base import TransportError
from workers.transports.endpoints import Endpoint


class _KeyError(Exception):
    """A key can't be used; the text says why, and has nothing of the key."""


def private_key(login: Login) -> paramiko.PKey | None:
    """The login's key, or None when it has only a password.

    Raises:
        TransportError: cause ``credential``: no key, unknown kind, or the passphrase doesn't fit.
    """
    if login.key is None:
        return None
    try:
        return _parse(login.key, login.passphrase)
    except _KeyError as error:
        raise TransportError(Cause.CREDENTIAL, f"private key {login.key_file}: {error}") from None


@lru_cache(maxsize=64)
def _parse(key: Secret, passphrase: Secret | None) -> paramiko.PKey:
    """Parse a key; cached by its text, since unlocking one costs a tenth of a second on purpose."""
    text = key.reveal()
    password = None if passphrase is None else passphrase.reveal()
    load = load_ssh_private_key if "OPENSSH PRIVATE KEY" in text else load_pem_private_key
    try:
        try:
            loaded = load(text.encode(), None if password is None else password.encode())
        except TypeError:
            # One that isn't locked needs no passphrase; one that is can't do without.
            if password is None:
                raise _KeyError("it is locked, and the credential has no passphrase") from None
            password = None
            loaded = load(text.encode(), None)
    except _KeyError:
        raise
    except Exception:  # noqa: BLE001 - a library's parser of hostile text; its errors may quote the text
        reason = "the passphrase doesn't unlock it, or it is damaged" if password else "it is no private key"
        raise _KeyError(reason) from None
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return paramiko.ECDSAKey(vals=(loaded, loaded.public_key()))
    if isinstance(loaded, rsa.RSAPrivateKey):
        return paramiko.RSAKey(key=loaded)
    if isinstance(loaded, ed25519.Ed25519PrivateKey):
        # paramiko makes this kind from text alone, and stumbles over some comments: so written anew, without.
        plain = loaded.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return paramiko.Ed25519Key.from_private_key(io.StringIO(plain.decode()))
    raise _KeyError("its kind is not supported; use ed25519, ECDSA or RSA")


def key_text(key: paramiko.PKey) -> str:
    """A public key as in known_hosts: ``type base64``."""
    return f"{key.get_name()} {key.get_base64()}"


def key_types(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The types of known keys, without repetition."""
    return tuple(dict.fromkeys(key.split()[0] for key in keys if key.strip()))


def check_host_key(endpoint: Endpoint, shown: str, *, accept_unknown: bool) -> None:
    """Accept exactly the keys that the endpoint has; any, where it has none and that is allowed.

    Args:
        endpoint: the server that showed the key.
        shown: the key, ``type base64``.
        accept_unknown: take any key where none is known.

    Raises:
        TransportError: the key is not accepted; it carries the key.
    """
    kind = shown.split(maxsplit=1)[0]
    if endpoint.keys:
        # A comment behind a known key doesn't matter.
        if not any(" ".join(known.split()[:2]) == shown for known in endpoint.keys):
            detail = f"it showed a {kind} key that is not the one known"
            raise endpoint.error(Cause.HOST_KEY_CHANGED, detail, observed_key=shown)
    elif not accept_unknown:
        raise endpoint.error(Cause.HOST_KEY_UNKNOWN, f"its {kind} key is not known yet", observed_key=shown)
