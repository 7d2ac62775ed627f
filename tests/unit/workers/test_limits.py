import resource

from workers.limits import SPARE_FILES, connections_to_keep, raise_open_files


def test_as_many_connections_are_kept_as_leave_files_for_the_rest() -> None:
    assert connections_to_keep(1024, 524_288) == 1024
    assert connections_to_keep(1024, 1024) == 1024 - SPARE_FILES
    assert connections_to_keep(1024, 100) == 0


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        assert raise_open_files() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
