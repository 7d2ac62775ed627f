"""Parameters in fields."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.templates import TemplateFieldError, render, undefined_names


def test_names_are_those_that_parameters_must_define() -> None:
    text = "{{ version }} {% for part in parts %}{{ part }}{% endfor %} {{ range(3) }}"
    assert undefined_names(text) == {"version", "parts", "range"}


def test_a_template_is_filled_in_to_the_last_newline() -> None:
    assert render("a {{ version }}\n", {"version": "1.4"}) == "a 1.4\n"
    assert render("{{ version.split('.')[0] }}", {"version": "1.4"}) == "1"


def test_nothing_is_escaped_as_html() -> None:
    assert render("{{ a }}", {"a": "<&'\">"}) == "<&'\">"


@pytest.mark.parametrize(
    "text",
    [
        "{{ nothing }}",
        "{{ a",
        "{{ a.nothing }}",
        "{{ a | nofilter }}",
        "{{ a + 1 }}",
        "{{ 1 / 0 }}",
        "{{ [1, 2] | random }}",
        "{{ a | xmlattr }}",
        "{{ a | dictsort }}",
        "{{ " + "(" * 5000 + "a" + ")" * 5000 + " }}",
        "{{ a" + "|upper" * 5000 + " }}",
        "{% if a %}" * 200 + "{% endif %}" * 200,
        "{{ " + "9" * 5000 + " }}",
        "{{ '%c' % 55296 }}",
    ],
    ids=range(14),
)
def test_what_can_not_be_filled_in_is_an_error_of_the_input(text: str) -> None:
    with pytest.raises(TemplateFieldError):
        render(text, {"a": "1"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ " + "(" * 5000 + "a" + ")" * 5000 + " }}", "nested too deeply"),
        ("{{ a" + "|upper" * 5000 + " }}", "nested too deeply"),
        ("{{ " + "9" * 5000 + " }}", "digits"),
    ],
    ids=["parentheses", "filters", "number"],
)
def test_what_can_not_even_be_parsed_is_an_error_of_the_input(text: str, said: str) -> None:
    with pytest.raises(TemplateFieldError, match=said):
        undefined_names(text)


@pytest.mark.parametrize(
    "text",
    ["{{ a.__class__ }}", "{{ ().__class__.__bases__ }}", "{{ a.__init__.__globals__ }}", "{{ cycler }}"],
)
def test_a_template_can_not_leave_its_box(text: str) -> None:
    with pytest.raises(TemplateFieldError):
        render(text, {"a": "1"})


@given(st.text(alphabet=st.characters(exclude_characters="{")))
def test_text_without_templates_stays_as_it_is(text: str) -> None:
    assert render(text, {}) == text
    assert undefined_names(text) == frozenset()
