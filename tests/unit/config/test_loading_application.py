"""What load_application accepts, and how it refuses the rest."""

from pathlib import Path

import pytest

from config.application import Action, Application
from config.errors import BadInputError
from config.fleet import Become
from config.loading import load_application, placed
from config.problems import Finding, InvalidFileError, UnplacedError
from tests.support.files import DESIGN_APPLICATION, written


def refused(folder: Path, text: str) -> list[str]:
    path = written(folder, "app.yaml", text)
    with pytest.raises(InvalidFileError) as caught:
        load_application(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def with_action(action: str, parameters: str = "version: {required: true}") -> str:
    return f"application: shop\nparameters:\n  {parameters}\nactions:\n  - {action}\n"


def test_the_application_of_the_design_loads_as_it_stands(tmp_path: Path) -> None:
    application = load_application(written(tmp_path, "shop.yaml", DESIGN_APPLICATION))

    assert [action.kind for action in application.actions] == [
        "fetch",
        "unpack",
        "run",
        "link",
        "service",
        "check",
    ]
    assert application.actions[2].timeout == 300
    assert application.actions[2].directory == "/opt/shop/releases/{{ version }}"
    assert application.rollout.batches == (1, "25%", "100%")


def test_an_application_survives_its_way_through_json(tmp_path: Path) -> None:
    application = load_application(written(tmp_path, "shop.yaml", DESIGN_APPLICATION))
    assert Application.model_validate_json(application.model_dump_json()) == application


@pytest.mark.parametrize(
    ("become", "expected"),
    [("true", Become()), ("app", Become(user="app")), ("false", False), ("null", None)],
)
def test_become_of_an_action(tmp_path: Path, become: str, expected: object) -> None:
    application = load_application(written(tmp_path, "a.yaml", with_action(f"run: x\n    become: {become}")))
    assert application.actions[0].become == expected


@pytest.mark.parametrize("command", ["run: {}", "run: x\n    when: {}", "check: {{command: {}}}"])
def test_a_template_in_a_command_is_refused_with_the_way_to_do_it(tmp_path: Path, command: str) -> None:
    (line,) = refused(tmp_path, with_action(command.format("'echo {{ version }}'")))
    assert 'use "$version" (an environment variable) instead' in line


@pytest.mark.parametrize(
    "action",
    [
        'fetch: {url: "http://x/{{ verison }}", to: /a, sha256: "..."}',
        'upload: {from: "a-{{ verison }}", to: /a}',
        'unpack: {archive: /a, to: "/{{ verison }}"}',
        'link: {from: "/{{ verison }}", to: /a}',
        'service: {name: "a@{{ verison }}", state: started}',
        'check: {tcp: "{{ verison }}:80"}',
        'check: {http: "http://{{ verison }}/"}',
        'run: x\n    in: "/{{ verison }}"',
        'run: x\n    env: {A: "{% if verison %}1{% endif %}"}',
    ],
)
def test_a_template_that_names_nothing_is_refused_in_every_field(tmp_path: Path, action: str) -> None:
    (line,) = refused(tmp_path, with_action(action))
    assert 'expected the name of a declared parameter, found "verison"; did you mean "version"?' in line


def test_a_secret_in_a_field_is_refused_with_the_reason(tmp_path: Path) -> None:
    text = with_action('run: x\n    env: {A: "{{ token }}"}', "token: {secret: {env: T}}")
    (line,) = refused(tmp_path, text)
    assert line.startswith(
        "6:14: actions[0].env.A: expected no secret, as it would be written into the script"
    )
    assert line.endswith('found "token"; use "$token" (an environment variable) in a command instead')


@pytest.mark.parametrize(
    ("parameter", "found"),
    [
        ("{required: true, default: a}", "found required and default"),
        ("{secret: {env: A}, default: a}", "found default and secret"),
        ("{required: true, secret: {env: A}}", "found required and secret"),
        ("{}", "found none of them"),
    ],
)
def test_a_parameter_has_exactly_one_source(tmp_path: Path, parameter: str, found: str) -> None:
    (line,) = refused(tmp_path, with_action("run: x", f"version: {parameter}"))
    assert (
        line
        == f"3:12: parameters.version: expected exactly one of required: true, default and secret, {found}"
    )


@pytest.mark.parametrize(
    ("batches", "expected"),
    [
        ("[]", "expected a list of one or more sizes, such as [1, 25%, 100%], found an empty list"),
        (
            "[0]",
            'rollout.batches[0]: expected a batch of at least one host, such as 1 or "25%", found the',
        ),
        (
            "[1, '0%']",
            'rollout.batches[1]: expected a batch of at least one host, such as 1 or "25%", found "0%"',
        ),
        ("[101%]", 'expected a count such as 5, or a percent such as "25%", found "101%"'),
        ("[-1]", "expected 0 or more, found the number -1"),
        ("[true]", "found true"),
        ("50%", "rollout.batches: expected a list of one or more sizes"),
    ],
)
def test_batches_that_hold_no_host_are_refused(tmp_path: Path, batches: str, expected: str) -> None:
    (line,) = refused(tmp_path, with_action("run: x") + f"rollout: {{batches: {batches}}}\n")
    assert expected in line


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("runn: x", 'found "runn"; did you mean "run"?'),
        (
            "name: x",
            "expected exactly one of run, fetch, upload, unpack, link, service, check, iis, found",
        ),
        ("run: x\n    link: {from: /a, to: /b}", "found run and link"),
        ("iis: {app_pool: 'a{{ verson }}', state: started}", 'did you mean "version"'),
        ("iis: {site: a, app_pool: b, state: started}", "expected exactly one of site and app_pool"),
        ("iis: {site: a, state: recycled}", "expected recycled at an app_pool, restarted at a site"),
        (
            "check: {http: 'http://x/', tcp: 'x:1'}",
            "expected exactly one of http, tcp and command, found http and tcp",
        ),
        ("check: {tcp: 8080}", "actions[0].check.tcp: expected some text, found the number 8080"),
        (
            "check: {tcp: '8080'}",
            'and a port from 1 to 65535, found "8080"',
        ),
        ("check: {http: x/y}", 'expected an http:// or https:// URL, found "x/y"'),
        ("check: {tcp: 'x:1', status: 99}", "expected an HTTP status from 100 to 599, found the number 99"),
        (
            "run: x\n    timeout: 0",
            "above 0 and up to 366d, found the number 0",
        ),
        ("run: x\n    timeout: 5 minutes", 'found "5 minutes"'),
        ("upload: {from: a, to: /b, mode: 0644}", 'found the number 644; write it in quotes: "0644"'),
        ("upload: {from: a, to: /b, mode: '999'}", 'expected an octal mode such as "0644", found "999"'),
        ("upload: {source: a, to: /b}", "expected one of the keys from, to, sha256, mode"),
        (
            "fetch: {url: 'http://x', to: /a, sha256: abc}",
            "expected a SHA-256 checksum of 64 hexadecimal digits",
        ),
        (
            "run: x\n    in: '{{ version'",
            "expected a Jinja2 template, found one that is not a valid template",
        ),
        ("run: x\n    in: '{{ version | nope }}'", "No filter named 'nope'"),
        ("run: x\n    in: {{ version }}", 'a template stands in quotes: "{{ version }}"'),
        ("run: x\n    name: '{{ version }}'", "actions[0].name: expected plain text"),
        ("run: x\n    env: {1A: b}", 'that starts with no digit and not with two _, found "1A"'),
        ("run: x\n    env: {A: 1}", "actions[0].env.A: expected text, found the number 1"),
        (
            "run: x\n    become: 3",
            "actions[0].become: expected true, false or the name of a user, found the number 3",
        ),
        ("run: x\n    become: {usr: a}", 'actions[0].become.usr: expected one of the keys user, found "usr"'),
        ("service: {name: a, state: restart}", 'found "restart"; did you mean "restarted"?'),
    ],
)
def test_one_mistake_in_an_action_is_named(tmp_path: Path, action: str, expected: str) -> None:
    lines = refused(tmp_path, with_action(action))
    assert any(expected in line for line in lines), lines


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (
            "run: x\n    timeout: 0x" + "f" * 6000,
            "6:14: actions[0].timeout: expected a number of at most 100",
        ),
        ("run: x\n    timeout: " + "9" * 6000, "6:14: actions[0].timeout: expected a number of at most 100"),
        ("run: x\n    timeout: " + "9" * 6000 + "s", "actions[0].timeout: expected a duration such as"),
        ("run: x\n    timeout: " + "9" * 400 + "s", "actions[0].timeout: expected a duration such as"),
        ('run: "a\\ud800"', "5:10: actions[0].run: expected text, found half a character"),
    ],
    ids=["hexadecimal", "decimal", "a duration", "beyond floats", "half a character"],
)
def test_what_python_can_not_write_down_is_refused(tmp_path: Path, action: str, expected: str) -> None:
    (line,) = refused(tmp_path, with_action(action))
    assert expected in line


def test_problems_of_shape_and_of_meaning_are_listed_together(tmp_path: Path) -> None:
    lines = refused(tmp_path, with_action("run: 'echo {{ x }}'\n    timeout: never\n    in: '{{ y }}'"))
    assert [line.split(": ")[1] for line in lines] == [
        "actions[0].run",
        "actions[0].timeout",
        "actions[0].in",
    ]


def test_an_application_without_actions_is_refused(tmp_path: Path) -> None:
    assert (
        "actions: expected a list of one or more actions, found an empty list"
        in (refused(tmp_path, "application: x\nactions: []\n")[0])
    )


def test_a_checksum_still_to_be_filled_in_loads(tmp_path: Path) -> None:
    text = with_action('fetch: {url: "http://x/a", to: /a, sha256: "..."}')
    assert load_application(written(tmp_path, "a.yaml", text)).actions[0].fetch is not None


def test_actions_can_be_made_in_python_by_field_names() -> None:
    assert Action(run="true", directory="/tmp").directory == "/tmp"  # noqa: S108 - a name only


@pytest.mark.parametrize(
    ("action", "parameters", "said"),
    [
        (
            "run: x",
            "PATH: {default: x}",
            "3:3: parameters.PATH: expected another name: this name has a meaning",
        ),
        (
            "run: x\n    env: {__x: y}",
            "version: {required: true}",
            "expected a name of letters, digits and _ that starts with no digit and not with two _",
        ),
        ("check: {tcp: 'a:99999'}", "version: {required: true}", "a port from 1 to 65535"),
        (
            "check: {http: 'http://a:99999/'}",
            "version: {required: true}",
            "expected an http:// or https:// URL",
        ),
    ],
)
def test_what_no_host_could_carry_out_is_refused_with_its_place(
    tmp_path: Path, action: str, parameters: str, said: str
) -> None:
    (line,) = refused(tmp_path, with_action(action, parameters))
    assert said in line


@pytest.mark.parametrize(
    "url",
    [
        "https://a/b?c=d#e",
        "http://user:pw@a.example:8080/x",
        "http://[2001:db8::1]:80/",
        "http://127.0.0.1",
        "http://a:65535?x",
    ],
)
def test_urls_that_are_taken(tmp_path: Path, url: str) -> None:
    path = written(tmp_path, "app.yaml", with_action(f"check: {{http: '{url}'}}"))
    assert load_application(path).actions[0].check is not None


def test_what_shows_once_parameters_are_filled_in_is_placed_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "app.yaml", with_action("check: {tcp: 'a:{{ version }}'}"))
    finding = Finding(path=("actions", 0, "check", "tcp"), message="expected less")
    with pytest.raises(BadInputError) as caught, placed(path):
        raise UnplacedError(lines=["and another thing"], findings=[finding])
    assert str(caught.value) == f"and another thing\n{path}:5:18: actions[0].check.tcp: expected less"
