"""The WinRM protocol lab's server: WS-Management over HTTP and HTTPS, as Windows Remote Shell speaks it."""

from typing import Final

PASSWORD_VARIABLE: Final = "LAB_WINDOWS_PASSWORD"  # noqa: S105 - the variable's name
"""By which ``python -m lab.winrm`` is told the login's password."""
