"""From a fleet, an application and what was asked for to a plan: pure, and all checks before sending."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from config.application import Application
from config.application_checks import malformed, template_fields
from config.errors import BadInputError
from config.fleet import Fleet, OperatingSystem, SecretReference
from config.plain import is_utf8
from config.problems import Finding, UnplacedError, did_you_mean, listed
from config.routing import Router, resolve_target
from config.targets import HostTarget
from config.templates import TemplateFieldError, render
from tasks.actions.steps import steps_for
from tasks.batches import failure_limit, split_batches
from tasks.plan import Plan

__all__ = [
    "failure_limit",
    "parameters_for",
    "plan_deployment",
    "plan_verification",
    "resolve_target",
    "select_hosts",
    "split_batches",
]

_Found = TypeVar("_Found")


class _Check(Protocol):
    def __call__(self, function: Callable[..., _Found], *arguments: Any) -> _Found | None: ...


def plan_verification(fleet: Fleet, targets: Sequence[str]) -> Plan:
    """Plan to verify hosts, all in one batch; they may belong to several clusters and pools.

    Raises:
        BadInputError: a target is unknown, there are no hosts, or one can't be reached yet.
    """
    names = _some_hosts(fleet, targets)
    hosts = _resolved(Router(fleet), names)
    # Every value comes from a validated fleet; validating 10,000 hosts again would take most of a second.
    return Plan.model_construct(
        kind="verification",
        application=None,
        parameters={},
        secrets={},
        batches=(names,),
        hosts=hosts,
        max_failed=0,
    )


def verification_of(plan: Plan, names: Iterable[str]) -> Plan:
    """The verification of some of a plan's hosts, all in one batch."""
    chosen = tuple(names)
    return Plan.model_construct(
        kind="verification",
        application=None,
        parameters={},
        secrets={},
        batches=(chosen,),
        hosts={name: plan.hosts[name] for name in chosen},
        max_failed=0,
    )


def plan_deployment(
    fleet: Fleet, application: Application, targets: Sequence[str], given: Mapping[str, str]
) -> Plan:
    """Plan to bring an application to one cluster, or to some of its hosts.

    Args:
        fleet: as loaded.
        application: as loaded.
        targets: names of a cluster or of hosts.
        given: values of parameters, by name.

    Raises:
        BadInputError: something is missing, unknown or doesn't fit; names everything of its kind.
        UnplacedError: the same, and some of it is wrong in the application's data.
    """
    with _together() as check:
        names, hosts = check(_hosts_of_one_cluster, fleet, targets) or ((), {})
        os = next((host.os for host in hosts.values()), "linux")
        parameters, secrets, steps = check(_filled_in, application, given, os) or ({}, {}, ())
    # As in plan_verification: nothing here that wasn't validated already.
    return Plan.model_construct(
        kind="deployment",
        application=application,
        parameters=parameters,
        secrets=secrets,
        batches=split_batches(names, application.rollout.batches),
        hosts=hosts,
        steps=steps,
        max_failed=application.rollout.max_failed,
    )


@contextmanager
def _together() -> Iterator[_Check]:
    """Run several checks, and tell what all of them found wrong at once."""
    lines: list[str] = []
    findings: list[Finding] = []

    def check(function: Callable[..., _Found], *arguments: Any) -> _Found | None:
        try:
            return function(*arguments)
        except UnplacedError as error:
            lines.extend(error.lines)
            findings.extend(error.findings)
        except BadInputError as error:
            lines.append(str(error))
        return None

    yield check
    if lines or findings:
        raise UnplacedError(lines=lines, findings=findings)


def _hosts_of_one_cluster(
    fleet: Fleet, targets: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, HostTarget]]:
    names = _some_hosts(fleet, targets)
    router = Router(fleet)
    _one_cluster(router, names)
    hosts = _resolved(router, names)
    _one_system(hosts)
    return names, hosts


def _filled_in(
    application: Application, given: Mapping[str, str], os: OperatingSystem
) -> tuple[dict[str, str], dict[str, SecretReference], tuple[str, ...]]:
    """Parameters, references of secret ones, and names of the steps, which are made as workers make them."""
    parameters, secrets = parameters_for(application, given)
    _fields_fill_in(application, parameters)
    steps = steps_for(os, application, parameters, render=render, secrets=tuple(secrets))
    return parameters, secrets, tuple(step.name for step in steps)


def parameters_for(
    application: Application, given: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, SecretReference]]:
    """The values of an application's parameters in clear, and the references of those that are secrets.

    Raises:
        BadInputError: names every parameter that is missing, undeclared, or a secret and yet given.
    """
    problems = list(_parameter_problems(application, given))
    if problems:
        raise BadInputError("\n".join(problems))
    values, secrets = {}, {}
    for name, parameter in application.parameters.items():
        if parameter.secret is not None:
            secrets[name] = parameter.secret
        elif (value := given.get(name, parameter.default)) is not None:
            values[name] = value
    return values, secrets


def select_hosts(fleet: Fleet, targets: Iterable[str]) -> tuple[str, ...]:
    """The hosts that are meant by names of clusters and hosts, each once, in the order of the fleet.

    Raises:
        BadInputError: names every target that is neither a cluster nor a host.
    """
    asked = dict.fromkeys(targets)
    known = {*fleet.clusters, *(host for cluster in fleet.clusters.values() for host in cluster.hosts)}
    unknown = [target for target in asked if target not in known]
    if unknown:
        raise BadInputError("\n".join(_unknown_target(target, fleet, known) for target in unknown))
    return tuple(
        host
        for name, cluster in fleet.clusters.items()
        for host in cluster.hosts
        if name in asked or host in asked
    )


def _unknown_target(target: str, fleet: Fleet, known: Iterable[str]) -> str:
    hint = did_you_mean(target, known) or f"its clusters: {listed(fleet.clusters)}"
    return f'The fleet has no cluster or host "{target}"; {hint}'


def _some_hosts(fleet: Fleet, targets: Sequence[str]) -> tuple[str, ...]:
    names = select_hosts(fleet, targets)
    if not names:
        asked = f"{listed(targets)} has no hosts" if targets else "no target was named"
        raise BadInputError(f"There is nothing to do: {asked}. Name a cluster with hosts, or hosts.")
    return names


def _one_cluster(router: Router, names: Iterable[str]) -> None:
    clusters = dict.fromkeys(router.cluster_of[name] for name in names)
    if len(clusters) > 1:
        raise BadInputError(
            f"A deployment goes to one cluster, and these hosts are in {len(clusters)}: {listed(clusters)}. "
            "Deploy to them one after the other."
        )


def _one_system(hosts: Mapping[str, HostTarget]) -> None:
    systems = {host.os for host in hosts.values()}
    if len(systems) > 1:
        windows = listed([name for name, host in hosts.items() if host.os == "windows"])
        raise BadInputError(
            f"A deployment goes to hosts of one operating system, and of these {windows} run Windows. "
            "Deploy to them one after the other."
        )


def _resolved(router: Router, names: Iterable[str]) -> dict[str, HostTarget]:
    return {name: router.target(name) for name in names}


def _parameter_problems(application: Application, given: Mapping[str, str]) -> Iterator[str]:
    declared = application.parameters
    for name, value in given.items():
        if name not in declared:
            hint = did_you_mean(name, declared) or f"declared: {listed(declared)}"
            yield f'The application "{application.application}" has no parameter "{name}"; {hint}'
        elif declared[name].secret is not None:
            yield (
                f'The parameter "{name}" is a secret, which the worker looks up by itself; '
                "leave it out, so that it stands in no command line or record"
            )
        elif "\0" in value:
            yield f'The value of "{name}" has a NUL character in it, which no environment variable can hold'
        elif not is_utf8(value):
            yield (
                f'The value of "{name}" has bytes in it that are not UTF-8; write it in UTF-8, '
                "or bring such content to the hosts as a file, with an upload"
            )
    for name, parameter in declared.items():
        if parameter.required and name not in given:
            yield f'The parameter "{name}" is required and has no value; give one with --set {name}=...'


def _fields_fill_in(application: Application, parameters: Mapping[str, str]) -> None:
    findings = []
    for index, action in enumerate(application.actions):
        for path, text in template_fields(action.model_dump(by_alias=True)):
            try:
                wrong = malformed(path, render(text, parameters))
            except TemplateFieldError as error:
                wrong = str(error)
            if wrong:
                findings.append(Finding(path=("actions", index, *path), message=wrong))
    if findings:
        raise UnplacedError(findings=findings)
