from hypothesis import given
from hypothesis import strategies as st

from tasks.unmoving import Deferral, Hosts, unmoving

NOW, LIMIT = 1_000_000.0, 120_000.0
PROXIES = ("bastion", "gate")

deferrals = st.builds(
    Deferral,
    since=st.integers(int(NOW - 2 * LIMIT), int(NOW)).map(float),
    again=st.integers(int(NOW - 20_000), int(NOW + 20_000)).map(float),
    proxy=st.sampled_from(["", *PROXIES]),
    cause=st.just("proxy_tcp_refused no answer"),
)


@st.composite
def fleets(draw: st.DrawFn) -> Hosts:
    names = [f"web-{number}" for number in range(draw(st.integers(0, 8)))]
    places = {name: draw(st.sampled_from(["sent", "expired", "given back", "both"])) for name in names}
    return Hosts(
        sent=[name for name, place in places.items() if place == "sent"],
        expired=frozenset(name for name, place in places.items() if place in {"expired", "both"}),
        given_back=frozenset(name for name, place in places.items() if place in {"given back", "both"}),
        waits={
            name: draw(deferrals) for name in names if places[name] == "given back" or draw(st.booleans())
        },
    )


down = st.sets(st.sampled_from(PROXIES))


def _unmoving(hosts: Hosts, down: set[str], *, lost: bool = False) -> list[str]:
    return unmoving(hosts, down=down, now=NOW, limit=LIMIT, messages_lost=lost)


@given(fleets(), down, st.booleans())
def test_each_host_is_named_once_and_only_where_nobody_has_it(
    hosts: Hosts, down: set[str], lost: bool
) -> None:
    found = _unmoving(hosts, down, lost=lost)

    assert len(found) == len(set(found))
    assert set(found) <= {*hosts.sent, *hosts.expired, *hosts.given_back}


@given(fleets(), down, st.booleans())
def test_a_host_that_waits_for_nothing_goes_when_its_worker_or_its_message_is_lost(
    hosts: Hosts, down: set[str], lost: bool
) -> None:
    found = set(_unmoving(hosts, down, lost=lost)) - set(hosts.waits)

    sent = set(hosts.sent) - set(hosts.waits)
    assert found == (hosts.expired - set(hosts.waits)) | (sent if lost else set())


@given(fleets(), down)
def test_a_host_that_waits_alone_goes_when_its_time_has_come(hosts: Hosts, down: set[str]) -> None:
    found = set(_unmoving(hosts, down))

    for name, waits in hosts.waits.items():
        if not waits.proxy:
            assert (name in found) == (waits.again <= NOW)


@given(fleets(), down)
def test_hosts_behind_a_proxy_that_is_up_again_go_at_once(hosts: Hosts, down: set[str]) -> None:
    found = set(_unmoving(hosts, down))

    assert {name for name, waits in hosts.waits.items() if waits.proxy and waits.proxy not in down} <= found


@given(fleets(), down)
def test_hosts_that_waited_for_their_limit_go_whatever_their_proxy_does(hosts: Hosts, down: set[str]) -> None:
    found = set(_unmoving(hosts, down))

    assert {
        name for name, waits in hosts.waits.items() if waits.proxy and NOW - waits.since >= LIMIT
    } <= found


@given(fleets(), down)
def test_of_the_others_behind_a_proxy_that_is_down_the_one_whose_turn_it_is_goes(
    hosts: Hosts, down: set[str]
) -> None:
    found = _unmoving(hosts, down)

    for proxy in down:
        behind = [
            name for name, waits in hosts.waits.items() if waits.proxy == proxy and NOW - waits.since < LIMIT
        ]
        tried = [name for name in found if name in behind]
        turn = min((hosts.waits[name].again for name in behind), default=NOW + 1)
        assert [hosts.waits[name].again for name in tried] == ([turn] if turn <= NOW else [])
