"""Logging in to an SSH server with Fabric: greeting, key exchange, host key, authentication."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import fabric
import paramiko
from paramiko import AuthenticationException, BadAuthenticationType, SSHException

from config.causes import Cause
from workers.credentials import Login, resolve
from workers.transports.base import Deadlines, StageClock, TransportError
from workers.transports.endpoints import Endpoint, cleaned
from workers.transports.keys import check_host_key, key_text, key_types, private_key
from workers.transports.sockets import Stream, greet
from workers.transports.wire import Wire


def _fabric_config() -> fabric.Config:
    # Lazy: Fabric would look for its files, and for ssh_config, at each connection. Not shared: making a
    # Connection writes into its Config, so that other threads find it half merged; one costs 0.1 ms.
    return fabric.Config(lazy=True, overrides={"load_ssh_configs": False})


class _HostKeyCheck(paramiko.MissingHostKeyPolicy):
    """Accepts exactly the endpoint's keys; Fabric's client asks it between key exchange and login."""

    def __init__(self, endpoint: Endpoint, *, accept_unknown: bool, checked: Callable[[], None]) -> None:
        self._endpoint = endpoint
        self._accept_unknown = accept_unknown
        self._checked = checked
        self.observed = ""

    def missing_host_key(self, client: object, hostname: str, key: paramiko.PKey) -> None:  # noqa: ARG002 - paramiko's face
        self.observed = key_text(key)
        check_host_key(self._endpoint, self.observed, accept_unknown=self._accept_unknown)
        self._checked()


def log_in(
    stream: Stream, endpoint: Endpoint, *, accept_unknown: bool, deadlines: Deadlines, stages: StageClock
) -> tuple[Wire, str]:
    """Greet, exchange keys, check the host key and log in; closes the stream when that fails.

    Args:
        stream: a connected socket, or a channel of a proxy.
        endpoint: the server at its other end.
        accept_unknown: take any key where none is known.
        deadlines: how long each part may take.
        stages: times ``banner``, ``host_key`` and ``login``.

    Returns:
        The connection, and the host key that was seen.

    Raises:
        TransportError: it didn't work.
    """
    try:
        login, key = _credential(endpoint)
        with stages("banner"):
            version, ahead = greet(stream, endpoint, deadlines.banner)
        wire = Wire(stream, version=version, ahead=ahead, key_types=key_types(endpoint.keys))
    except BaseException:
        stream.close()
        raise
    try:
        with ExitStack() as stage:
            stage.enter_context(stages("host_key"))

            def checked() -> None:
                stage.close()
                stage.enter_context(stages("login"))

            policy = _HostKeyCheck(endpoint, accept_unknown=accept_unknown, checked=checked)
            _open(wire, endpoint, policy, login, key, deadlines)
    except BaseException:
        wire.close()
        stream.close()
        raise
    return wire, policy.observed


def _credential(endpoint: Endpoint) -> tuple[Login, paramiko.PKey | None]:
    try:
        login = resolve(endpoint.credential)
        return login, private_key(login)
    except TransportError as error:
        # Read before the first byte is sent, but it is the login that can't be done.
        error.stage = "proxy_login" if endpoint.is_proxy else "login"
        raise


def _open(
    wire: Wire,
    endpoint: Endpoint,
    policy: _HostKeyCheck,
    login: Login,
    key: paramiko.PKey | None,
    deadlines: Deadlines,
) -> None:
    options: dict[str, Any] = {
        "sock": wire.sock,
        "transport_factory": lambda _sock, **_: wire,
        "timeout": deadlines.handshake,
        "auth_timeout": deadlines.login,
        "pkey": key,
        "password": None if login.password is None else login.password.reveal(),
        "look_for_keys": False,
        "allow_agent": False,
    }
    connection = fabric.Connection(
        endpoint.address, user=login.user, port=endpoint.port, config=_fabric_config(), connect_kwargs=options
    )
    connection.client.set_missing_host_key_policy(policy)
    try:
        connection.open()
    except BadAuthenticationType as error:
        offers = ", ".join(error.allowed_types)
        raise endpoint.error(Cause.AUTH, f"{_refused(login)}; the server accepts {offers}") from None
    except AuthenticationException as error:
        raise _not_logged_in(wire, endpoint, login, error, deadlines) from None
    except (SSHException, EOFError, OSError) as error:
        raise _not_connected(wire, endpoint, policy, error, deadlines) from None
    finally:
        # Fabric's object keeps the password; nothing of it is needed once the connection stands.
        connection.connect_kwargs.clear()


def _refused(login: Login) -> str:
    offered = " and ".join(
        ([f"key {login.key_file}"] if login.key else []) + (["password"] if login.password else [])
    )
    return f"user {login.user} was refused with {offered}"


def _not_logged_in(
    wire: Wire, endpoint: Endpoint, login: Login, error: Exception, deadlines: Deadlines
) -> TransportError:
    if wire.farewell:
        return endpoint.error(Cause.AUTH, f"{_refused(login)}; the server said {wire.farewell!r}")
    if not wire.is_active():
        return endpoint.error(Cause.CONNECTION_LOST, "it closed the connection during the login")
    if "timeout" in str(error).lower():
        return endpoint.error(
            Cause.AUTH, f"no answer to the login of {login.user} within {deadlines.login:g} s"
        )
    return endpoint.error(Cause.AUTH, _refused(login))


def _not_connected(
    wire: Wire, endpoint: Endpoint, policy: _HostKeyCheck, error: Exception, deadlines: Deadlines
) -> TransportError:
    if policy.observed:
        return endpoint.error(
            Cause.CONNECTION_LOST, f"the connection was lost during the login: {wire.why_lost()}"
        )
    closed = isinstance(error, EOFError | OSError)
    if wire.is_active():
        return endpoint.error(
            Cause.PROTOCOL, f"the key exchange was not done within {deadlines.handshake:g} s"
        )
    why = wire.farewell or ("it closed the connection" if closed else cleaned(str(error)))
    return endpoint.error(
        Cause.PROTOCOL, f"the key exchange failed: {why}", lost=closed and not wire.farewell
    )
