"""``python -m producer`` is ``longshore``."""

from producer.cli import main

main(prog_name="longshore")
