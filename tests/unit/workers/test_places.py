"""Places are taken in turn, and never more of them than there are."""

import threading

from workers.places import Places


def nothing() -> None:
    """Nobody is told."""


def test_place_is_taken_at_once_while_there_is_one() -> None:
    places = Places(2)
    assert places.take(0, nothing)
    assert places.take(0, nothing)
    assert not places.take(0.01, nothing)


def test_place_that_is_given_back_goes_to_whoever_waits_longest() -> None:
    places = Places(1)
    assert places.take(0, nothing)
    order: list[int] = []
    threads = []
    for number in range(5):
        queued = threading.Event()

        def wait(number: int = number, queued: threading.Event = queued) -> None:
            assert places.take(30, queued.set)
            order.append(number)
            places.give_back()

        threads.append(threading.Thread(target=wait))
        threads[-1].start()
        assert queued.wait(10)
    assert places.wanted
    places.give_back()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]
    assert not places.wanted


def test_one_that_gave_up_waiting_takes_no_place_from_others() -> None:
    places = Places(1)
    assert places.take(0, nothing)
    assert not places.take(0.01, nothing)
    places.give_back()
    assert places.take(0, nothing)


def test_room_made_while_waiting_is_taken() -> None:
    places = Places(1)
    assert places.take(0, nothing)
    assert places.take(10, places.give_back)


def test_never_more_are_inside_than_there_are_places() -> None:
    places = Places(3)
    inside = 0
    most = 0
    counting = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            assert places.take(30, nothing)
            with counting:
                inside += 1
                most = max(most, inside)
            with counting:
                inside -= 1
            places.give_back()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert 1 <= most <= 3
    assert all(places.take(0, nothing) for _ in range(3))
