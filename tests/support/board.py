"""What the browser tier looks at."""

from dataclasses import dataclass

from tasks.record.views import RunView
from tests.support.flower import Flower


@dataclass(frozen=True, kw_only=True)
class Board:
    """Flower after a deployment to four hosts in two batches, of which one failed.

    Attributes:
        run: the deployment.
        worker: the worker that carried it out.
        planted: what no page may show.
    """

    flower: Flower
    run: RunView
    worker: str
    planted: tuple[str, ...]
