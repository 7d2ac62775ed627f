"""Key pairs for logins and hosts, made for one lab and gone with its directory."""

from pathlib import Path

import asyncssh


def make_key(path: Path) -> str:
    """Make an ed25519 key pair.

    Args:
        path: where the private key goes, readable by its owner alone.

    Returns:
        The public key as ``type base64``.
    """
    key = asyncssh.generate_private_key("ssh-ed25519")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.export_private_key())
    return public_text(key)


def public_text(key: asyncssh.SSHKey) -> str:
    """A key's public part as ``type base64``, without a comment."""
    return " ".join(key.export_public_key().decode().split()[:2])
