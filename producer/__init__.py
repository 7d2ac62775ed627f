"""Who asks: the ``longshore`` command line and the Python client."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from producer.client import Client, Run

__all__ = ["Client", "Run"]


def __getattr__(name: str) -> Any:
    """Load the client at first use: ``longshore --help`` doesn't wait for it."""
    if name in __all__:
        from producer import client  # noqa: PLC0415 - this is what makes it lazy

        return getattr(client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
