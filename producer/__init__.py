"""Who asks: the ``longshore`` command line and the Python client."""
