"""Credentials, resolved at the moment of use; with settings, the only reader of the environment."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from config.causes import Cause
from config.fleet import Credential, SecretReference
from workers.transports.base import TransportError


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is never shown: its repr and str are masked."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The text itself, for the library call that needs it."""
        return self._text

    def __str__(self) -> str:
        return "Secret(***)"

    __repr__ = __str__


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a credential refers to, read and ready.

    Attributes:
        key: the private key's text, as its file has it.
        key_file: where the key was read, for messages.
        passphrase: what unlocks the key.
    """

    user: str
    key: Secret | None = None
    key_file: str = ""
    passphrase: Secret | None = None
    password: Secret | None = None


def resolve_reference(reference: SecretReference, *, purpose: str) -> Secret:
    """Read a secret where its reference says.

    Args:
        reference: the variable or file.
        purpose: what it is for, in words, for the message.

    Raises:
        TransportError: cause ``credential``; names the reference, never its content.
    """
    if reference.env is not None:
        value = os.environ.get(reference.env)
        if value is None:
            raise _missing(f"environment variable {reference.env} ({purpose}) is not set for this worker")
        return Secret(value)
    text = _read(str(reference.file), purpose)
    return Secret(text.removesuffix("\n").removesuffix("\r"))


def resolve(credential: Credential) -> Login:
    """Read everything that a credential refers to.

    Raises:
        TransportError: cause ``credential``; names the reference that is missing, never a secret.
    """
    key = passphrase = password = None
    key_file = ""
    if credential.key_file is not None:
        key_file = str(_expanded(credential.key_file))
        key = Secret(_read(credential.key_file, "private key"))
    if credential.passphrase is not None:
        passphrase = resolve_reference(credential.passphrase, purpose=f"passphrase of {credential.key_file}")
    if credential.password is not None:
        password = resolve_reference(credential.password, purpose=f"password of {credential.user}")
    return Login(user=credential.user, key=key, key_file=key_file, passphrase=passphrase, password=password)


def existing_file(path: str, purpose: str) -> str:
    """The place of a file that a library reads by itself.

    Args:
        path: as it is written; ``~`` is the worker's home.
        purpose: what it is for, in words, for the message.

    Raises:
        TransportError: cause ``credential``; it can't be read.
    """
    place = _expanded(path)
    try:
        with place.open("rb"):
            return str(place)
    except OSError as error:
        raise _missing(f"file {place} ({purpose}) can't be read: {error.strerror}") from None


def _expanded(path: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise _missing(f"file {path}: its home directory is not known to this worker") from None


def _read(path: str, purpose: str) -> str:
    place = _expanded(path)
    try:
        return place.read_text(encoding="utf-8")
    except OSError as error:
        raise _missing(f"file {place} ({purpose}) can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        # The codec's own message quotes the bytes that it could not read.
        raise _missing(f"file {place} ({purpose}) is not text") from None


def _missing(detail: str) -> TransportError:
    return TransportError(Cause.CREDENTIAL, detail)
