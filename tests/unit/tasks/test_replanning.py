import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.application import Application
from config.errors import BadInputError
from tasks.outcomes import Outcome
from tasks.plan import Plan
from tasks.replanning import RETRIED, Release, Scope, plan_retry, plan_rollbacks
from tests.support.plans import target

HOSTS = tuple(f"web-{number}" for number in range(1, 9))

sizes = st.lists(st.integers(1, 4) | st.sampled_from(["10%", "50%", "100%"]), min_size=1, max_size=3)


@st.composite
def plans(draw: st.DrawFn, version: str = "2.0") -> Plan:
    hosts = HOSTS[: draw(st.integers(1, len(HOSTS)))]
    declared = {"application": "shop", "actions": [{"run": "true"}], "rollout": {"batches": draw(sizes)}}
    cut = draw(st.integers(0, len(hosts) - 1))
    return Plan(
        kind="deployment",
        application=Application.model_validate(declared),
        parameters={"version": version},
        steps=("true",),
        batches=tuple(part for part in (hosts[:cut], hosts[cut:]) if part),
        hosts={name: target(name) for name in hosts},
        max_failed=draw(st.integers(0, 2)),
    )


outcomes = st.dictionaries(st.sampled_from(HOSTS), st.sampled_from(Outcome))


def _hosts(plan: Plan) -> list[str]:
    return [name for batch in plan.batches for name in batch]


@given(plans(), outcomes)
def test_a_retry_is_of_the_hosts_without_a_good_end_and_all_else_is_as_it_was(
    plan: Plan, ended: dict[str, Outcome]
) -> None:
    wanted = [name for name in _hosts(plan) if ended.get(name) in RETRIED]
    if not wanted:
        with pytest.raises(BadInputError):
            plan_retry(plan, ended)
        return

    again = plan_retry(plan, ended)

    assert _hosts(again) == wanted == list(again.hosts)
    assert all(again.hosts[name] == plan.hosts[name] for name in wanted)
    unchanged = {"batches", "hosts"}
    assert again.model_dump(exclude=unchanged) == plan.model_dump(exclude=unchanged)


@given(plans(), outcomes)
def test_a_retry_never_touches_a_host_that_is_well_or_not_known(
    plan: Plan, ended: dict[str, Outcome]
) -> None:
    try:
        again = plan_retry(plan, ended)
    except BadInputError:
        return

    assert not {ended[name] for name in again.hosts} & {Outcome.OK, Outcome.INDETERMINATE}


@st.composite
def rollbacks(draw: st.DrawFn) -> tuple[Plan, dict[str, Outcome], dict[str, Release | None], Scope]:
    earlier = [
        Release(
            run_id=f"r{number}", title=f"shop 1.{number}", created=number, plan=draw(plans(f"1.{number}"))
        )
        for number in range(1, 4)
    ]
    seldom_none = st.sampled_from([*earlier, *earlier, *earlier, None])
    known = {name: draw(seldom_none) for name in HOSTS}
    return draw(plans()), draw(outcomes), known, draw(st.sampled_from(["touched", "all"]))


@given(rollbacks())
def test_each_host_goes_back_to_its_own_release_or_none_does(
    asked: tuple[Plan, dict[str, Outcome], dict[str, Release | None], Scope],
) -> None:
    plan, ended, known, scope = asked
    touched = [
        name for name in _hosts(plan) if ended.get(name, Outcome.NOT_STARTED) is not Outcome.NOT_STARTED
    ]
    wanted = _hosts(plan) if scope == "all" else touched
    if not wanted or any(known[name] is None for name in wanted):
        with pytest.raises(BadInputError):
            plan_rollbacks(plan, ended, known, scope=scope)
        return

    found = plan_rollbacks(plan, ended, known, scope=scope)

    back = [(name, release) for release, each in found for name in _hosts(each)]
    assert sorted(name for name, _ in back) == sorted(wanted)
    assert all(known[name] == release for name, release in back)
    for release, each in found:
        assert each.parameters == release.plan.parameters
        assert {name: plan.hosts[name] for name in each.hosts} == each.hosts
    assert len({release.run_id for release, _ in found}) == len(found)
