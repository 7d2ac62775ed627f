"""Verifies a cluster, deploys an application to it, and prints how far both are.

python examples/submit.py fleet.yaml shop.yaml web version=1.4 checksum=...
"""

import sys

from producer import Client, Run


def follow(run: Run) -> bool:
    """Print a run's progress to its end; tell whether it succeeded."""
    said = ""
    for progress in run.follow():
        line = progress.waiting or f"{progress.done} of {progress.hosts} hosts done, {progress.failed} failed"
        if line != said:
            print(f"{progress.title}: {line}", flush=True)
        said = line
    view = run.view()
    print(f"{view.title}: {view.state}, {view.reason} (run {view.id})")
    return view.state == "succeeded"


def main() -> int:
    """Submit a verification, and then a deployment."""
    fleet, application, cluster, *assignments = sys.argv[1:]
    parameters = dict(assignment.split("=", 1) for assignment in assignments)
    with Client() as client:
        if not follow(client.verify(fleet, cluster)):
            return 1
        return 0 if follow(client.deploy(fleet, application, cluster, parameters)) else 1


if __name__ == "__main__":
    sys.exit(main())
