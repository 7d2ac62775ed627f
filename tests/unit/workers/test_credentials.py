"""Credentials are read where their references say, and their content is never shown."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.causes import Cause
from config.fleet import Credential, SecretReference
from workers.credentials import Secret, resolve, resolve_reference
from workers.transports.base import TransportError

CONTENT = "tell-nobody"


@given(text=st.text(alphabet=st.characters(categories=["L", "N"]), min_size=20))
def test_secret_is_never_shown(text: str) -> None:
    secret = Secret(text)
    shown = f"{secret} {secret!r} {[secret]}"
    assert text not in shown
    assert secret.reveal() == text


def test_reference_to_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIN_PASSWORD", CONTENT)
    assert resolve_reference(SecretReference(env="WIN_PASSWORD"), purpose="password").reveal() == CONTENT


@pytest.mark.parametrize(
    ("written", "read"), [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")]
)
def test_reference_to_a_file_drops_one_newline(written: str, read: str, tmp_path: Path) -> None:
    place = tmp_path / "secret"
    place.write_bytes(written.encode())
    assert resolve_reference(SecretReference(file=str(place)), purpose="password").reveal() == read


def test_home_is_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("key text")
    login = resolve(Credential(user="deploy", key_file="~/key"))
    assert login.key == Secret("key text")
    assert login.key_file == str(tmp_path / "key")


def test_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WIN_PASSWORD", raising=False)
    with pytest.raises(TransportError, match="WIN_PASSWORD") as caught:
        resolve(Credential(user="admin", password=SecretReference(env="WIN_PASSWORD")))
    assert caught.value.cause is Cause.CREDENTIAL


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match=r"absent.*No such file") as caught:
        resolve(Credential(user="deploy", key_file=str(tmp_path / "absent")))
    assert caught.value.cause is Cause.CREDENTIAL


def test_file_that_is_no_text_is_named_and_not_quoted(tmp_path: Path) -> None:
    place = tmp_path / "secret"
    place.write_bytes(CONTENT.encode() + b"\xff\xfe")
    with pytest.raises(TransportError, match="is not text") as caught:
        resolve_reference(SecretReference(file=str(place)), purpose="password")
    assert CONTENT not in str(caught.value)
    assert caught.value.__cause__ is None


def test_login_shows_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIN_PASSWORD", CONTENT)
    (tmp_path / "key").write_text(CONTENT)
    reference = SecretReference(env="WIN_PASSWORD")
    login = resolve(
        Credential(user="deploy", key_file=str(tmp_path / "key"), passphrase=reference, password=reference)
    )
    assert CONTENT not in repr(login)
