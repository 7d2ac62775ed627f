from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workers.shelf import Kept, Shelf

WAYS = ("a", "b", "c")
moves = st.lists(
    st.sampled_from([("put", way) for way in WAYS] + [("take", way) for way in WAYS] + [("old", "")])
)


def _kept(way: Any) -> Kept:
    session: Any = SimpleNamespace()
    return Kept(way=way, session=session, tunnels=(), since=0.0)


@given(moves)
def test_what_is_taken_is_what_a_plain_list_would_give(moves: list[tuple[str, str]]) -> None:
    shelf, model = Shelf(), list[Kept]()
    for move, way in moves:
        if move == "put":
            kept = _kept(way)
            shelf.put(kept)
            model.append(kept)
        elif move == "take":
            wanted = next((kept for kept in reversed(model) if kept.way == way), None)
            model = [kept for kept in model if kept is not wanted]
            assert shelf.take_latest(way) is wanted
        else:
            assert shelf.oldest is (model[0] if model else None)
            assert shelf.take_oldest() is (model.pop(0) if model else None)
        assert len(shelf) == len(model)
    assert shelf.take_all() == model
    assert len(shelf) == 0
