"""The ``longshore`` command."""

from producer.cli.root import main

__all__ = ["main"]
