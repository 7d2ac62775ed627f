"""Who asks."""

import getpass
import os


def login_name() -> str:
    """The login name; a container's user may have none, and is then named by its number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
