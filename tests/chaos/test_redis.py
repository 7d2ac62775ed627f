"""A Redis that is killed and comes back, with all of its append-only file or with a second less."""

import pytest

from tasks.outcomes import RunState
from tests.chaos.faults import Kind, kill_redis, lose_power
from tests.chaos.rounds import drawn, play
from tests.chaos.scene import Scene

pytestmark = pytest.mark.chaos

FAULTS = {
    "killed": Kind(name="Redis killed", fault=kill_redis),
    "power lost": Kind(name="power loss", fault=lose_power),
}


@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize("fault", FAULTS)
def test_redis_is_gone_and_comes_back(scene: Scene, fault: str, seed: int) -> None:
    account = play(scene, drawn(seed, (FAULTS[fault],)))

    assert not account.broken, str(account)
    assert set(account.ends) == {RunState.SUCCEEDED}
