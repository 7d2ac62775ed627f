from config.fleet import Fleet
from producer.pools import pool_views
from tasks.record.views import WorkerView


def _worker(name: str, pool: str, *, slots: int = 8, busy: int = 0) -> WorkerView:
    return WorkerView(name=name, pool=pool, version="1", slots=slots, busy=busy, seen=0.0)


def test_declared_pools_come_first_and_undeclared_ones_with_workers_are_not_hidden() -> None:
    fleet = Fleet.model_validate({"pools": {"z": {"kind": "official"}, "a": {"kind": "self-hosted"}}})
    workers = [_worker("w1", "z", busy=3), _worker("w2", "z"), _worker("w3", "stray")]
    views = pool_views(fleet, workers, {"z": 5, "a": 2})
    assert [
        (view.name, view.kind, len(view.workers), view.slots, view.busy, view.waiting) for view in views
    ] == [
        ("z", "official", 2, 16, 3, 5),
        ("a", "self-hosted", 0, 0, 0, 2),
        ("stray", None, 1, 8, 0, 0),
    ]


def test_without_a_fleet_the_pools_that_have_workers_are_shown() -> None:
    assert [view.name for view in pool_views(None, [_worker("w", "b"), _worker("w", "a")], {})] == ["a", "b"]
