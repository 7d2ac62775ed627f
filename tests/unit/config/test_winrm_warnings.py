"""What is said of hosts that go without a check or without encryption."""

from config.fleet import WinRM
from config.targets import HostTarget
from config.winrm_warnings import target_warnings, warnings_in_brief
from tests.support.plans import target

UNCHECKED, OPEN = WinRM(ignore_certificate=True), WinRM(scheme="http", insecure=True)


def windows(name: str, winrm: WinRM) -> HostTarget:
    return target("win-1").model_copy(update={"name": name, "os": "windows", "winrm": winrm})


def test_each_host_that_goes_without_is_named_and_no_other() -> None:
    targets = [
        windows("win-d", UNCHECKED),
        windows("win-b", OPEN),
        windows("win-c", WinRM()),
        windows("win-a", UNCHECKED),
        target("web-1"),
    ]
    taken, read = target_warnings(targets)
    assert taken.startswith("win-d and win-a: any certificate is taken")
    assert read.startswith("win-b: http without encryption")
    assert target_warnings([windows("win-c", WinRM()), target("web-1")]) == ()


def test_many_hosts_are_counted() -> None:
    (warning,) = target_warnings(windows(f"h{index}", OPEN) for index in range(9))
    assert warning.startswith("h0, h1, h2, h3, h4, h5 and 3 more: ")


def test_in_brief_it_is_a_few_words() -> None:
    both = WinRM(scheme="http", insecure=True, ignore_certificate=True)
    assert warnings_in_brief(windows("win-a", both)) == ("certificate not checked", "not encrypted")
    assert warnings_in_brief(windows("win-c", WinRM())) == warnings_in_brief(target("web-1")) == ()
