import pytest

from config.redis_urls import redis_address
from config.settings import load_settings
from tests.support.documents import blocks

EXAMPLES = blocks("reference/redis.md", "sh")


def test_there_is_an_example() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_url_of_the_page_is_one(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable, _, url = example.strip().partition("=")
    monkeypatch.setenv(variable, url)
    monkeypatch.delenv("LONGSHORE_RECORD_URL", raising=False)
    settings = load_settings()
    assert settings.redis_url == url
    broker, record = redis_address(settings.redis_url), redis_address(settings.record_url)
    assert (broker.servers, broker.primary, broker.password) == (record.servers, "longshore", "PASSWORD")
    assert (broker.database, record.database) == (0, 1)
