"""Which version of Longshore this is."""

from importlib import metadata


def version() -> str:
    """As installed; ``source`` when it runs from a checkout."""
    try:
        return metadata.version("longshore")
    except metadata.PackageNotFoundError:
        return "source"
