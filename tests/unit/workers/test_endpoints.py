"""What other programs say is made safe to show, and errors name the hop."""

from hypothesis import given
from hypothesis import strategies as st

from config.causes import Cause
from config.fleet import Credential
from workers.transports.endpoints import Endpoint, cleaned


@given(said=st.one_of(st.text(), st.binary()))
def test_cleaned_text_is_one_short_printable_line(said: str | bytes) -> None:
    shown = cleaned(said)
    assert shown == "" or shown.isprintable()
    assert shown.isascii()
    assert len(shown) <= 120
    assert cleaned(shown) == shown


def test_colours_and_control_characters_are_gone_and_words_stay() -> None:
    assert cleaned(b"\x1b[31mExceeded\x1b[0m\r\n\x07MaxStartups\r\n") == "Exceeded MaxStartups"


def test_error_at_a_proxy_has_the_proxys_cause_and_name() -> None:
    proxy = Endpoint(
        name="bastion",
        address="203.0.113.10",
        port=22,
        credential=Credential(user="x", key_file="/k"),
        is_proxy=True,
    )
    error = proxy.error(Cause.AUTH, "no")
    assert error.cause is Cause.PROXY_AUTH
    assert error.detail == "proxy bastion (203.0.113.10 port 22): no"


def test_error_at_a_host_has_the_hosts_cause_and_name() -> None:
    host = Endpoint(name="web-1", address="::1", port=2222, credential=Credential(user="x", key_file="/k"))
    error = host.error(Cause.AUTH, "no")
    assert (error.cause, error.detail) == (Cause.AUTH, "web-1 (::1 port 2222): no")
