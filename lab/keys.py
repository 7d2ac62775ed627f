"""Key pairs for logins and hosts, made for one lab and gone with its directory."""

from pathlib import Path
from typing import Final, Literal

import asyncssh

KeyKind = Literal["ed25519", "rsa", "ecdsa"]

_ALGORITHMS: Final[dict[KeyKind, str]] = {
    "ed25519": "ssh-ed25519",
    "rsa": "ssh-rsa",
    "ecdsa": "ecdsa-sha2-nistp256",
}
# The comment matters: paramiko 5.1 can't read every other ECDSA key that has none.
_COMMENT: Final = "longshore-lab"
_RSA_BITS: Final = 3072  # ssh-keygen's default
_PASSPHRASE_ROUNDS: Final = 16  # ssh-keygen's default; asyncssh's own takes a second and more


def make_key(path: Path, kind: KeyKind = "ed25519", *, passphrase: str | None = None) -> str:
    """Make a key pair.

    Args:
        path: where the private key goes, readable by its owner alone; the public key goes beside it,
            as ``.pub``.
        kind: of the key.
        passphrase: what opens the private key; None for a key that is open.

    Returns:
        The public key as ``type base64``.
    """
    size = {"key_size": _RSA_BITS} if kind == "rsa" else {}
    key = asyncssh.generate_private_key(_ALGORITHMS[kind], comment=_COMMENT, **size)
    private = key.export_private_key(
        passphrase=passphrase, cipher_name="aes256-ctr", rounds=_PASSPHRASE_ROUNDS, ignore_few_rounds=True
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(private)
    path.with_name(f"{path.name}.pub").write_bytes(key.export_public_key())
    return public_text(key)


def public_text(key: asyncssh.SSHKey) -> str:
    """A key's public part as ``type base64``, without a comment."""
    return " ".join(key.export_public_key().decode().split()[:2])
