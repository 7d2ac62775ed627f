"""The run record: the truth about every run, in a Redis database of its own."""
