from hypothesis import given
from hypothesis import strategies as st

from config.causes import Cause
from tasks.deferring import LONGEST, ROUTE_CAUSES, SHORTEST, later
from tasks.outcomes import Later

causes = st.sampled_from(Cause)
limits = st.floats(0, 600)


def _later(cause: Cause, *, begun: bool, waited: float | None, limit: float) -> Later | None:
    return later(cause, "no answer", proxy="bastion", begun=begun, waited=waited, limit=limit)


@given(causes, st.booleans(), st.none() | st.floats(0, 1200), limits)
def test_a_host_waits_when_its_proxy_is_down_or_its_end_is_wanted_and_only_for_its_limit(
    cause: Cause, begun: bool, waited: float | None, limit: float
) -> None:
    answer = _later(cause, begun=begun, waited=waited, limit=limit)

    worth_it = begun or cause in ROUTE_CAUSES
    assert (answer is not None) == (worth_it and (waited or 0.0) < limit)
    if answer is not None:
        assert SHORTEST <= answer.seconds <= LONGEST
        assert (answer.begun, answer.cause) == (begun, cause)
        assert answer.proxy == ("bastion" if cause in ROUTE_CAUSES else "")


@given(st.sampled_from(sorted(ROUTE_CAUSES)), limits)
def test_waiting_comes_to_an_end_soon_after_the_limit(cause: Cause, limit: float) -> None:
    waited, tries = 0.0, 1
    while answer := _later(cause, begun=False, waited=waited, limit=limit):
        waited, tries = waited + answer.seconds, tries + 1

    assert limit <= waited <= limit + SHORTEST
    assert tries <= 8 + limit / LONGEST * 1.1 + SHORTEST
