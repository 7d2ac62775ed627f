import re
from datetime import UTC, datetime

import pytest

from config.errors import BadInputError
from producer import Client
from producer.submitting import new_run_id


def test_ids_sort_by_time_and_name_it() -> None:
    first = new_run_id(datetime(2026, 1, 31, 14, 25, 30, tzinfo=UTC), "ffff")
    later = new_run_id(datetime(2026, 1, 31, 14, 25, 31, tzinfo=UTC), "0000")
    assert first == "20260131-142530-ffff"
    assert first < later
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", later)


def test_a_wrong_address_is_bad_input_and_its_password_is_not_repeated() -> None:
    with pytest.raises(BadInputError) as caught:
        Client(redis_url="amqp://user:hunter2@nowhere/0")
    assert "LONGSHORE_REDIS_URL" in str(caught.value)
    assert "hunter2" not in str(caught.value)
