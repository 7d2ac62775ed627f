"""What Flower is told; it reads this file itself (``--conf``), and takes the names that it knows."""

from typing import Any

# Each task as a line of the board: what it is about, and how it ended. The argument texts carry all of it.
tasks_columns = "args,state,result,received,runtime,worker,uuid"

# Revoking a task ends nothing that runs on a host, and a task that is sent by hand is in no record:
# `longshore cancel` and `longshore deploy` do both.
read_only = True

# What Flower has seen is saved every minute, since a kill would lose what it saves at its end.
persistent = True
state_save_interval = 60_000


def format_task(task: Any) -> Any:
    """A task as it is shown: what it came to is a text, and needs no quotes."""
    if task.result:
        task.result = task.result.strip("'")
    return task
