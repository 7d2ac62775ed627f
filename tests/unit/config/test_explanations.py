"""Every cause can be explained to a person."""

import re

import pytest

from config.causes import Cause
from config.explanations import EXPLANATIONS, explain


def test_every_cause_has_words_and_no_words_are_without_a_cause() -> None:
    assert set(EXPLANATIONS) == set(Cause)


@pytest.mark.parametrize("cause", list(Cause))
def test_each_part_is_a_plain_sentence(cause: Cause) -> None:
    words = explain(cause)
    for part in (words.happened, words.why, words.remedy):
        assert part.isprintable()
        assert part[0].isupper()
        assert part.endswith(".")
        assert "  " not in part
        assert not re.search(r"[{}]", part), "a placeholder that nobody fills in"


def test_no_two_causes_have_the_same_words() -> None:
    assert len({words.happened for words in EXPLANATIONS.values()}) == len(Cause)
