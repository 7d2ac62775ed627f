"""SSH: log in to a server with Fabric, then run commands on channels of its connection."""

import contextlib
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import fabric
import paramiko
from paramiko import AuthenticationException, BadAuthenticationType, SSHException

from config.causes import Cause
from workers.credentials import Login, resolve
from workers.transports.base import Deadlines, StageClock, TransportError
from workers.transports.channels import Channel, ChannelClosedError, ChannelRefusedError
from workers.transports.endpoints import Endpoint, cleaned
from workers.transports.keys import check_host_key, key_text, key_types, private_key
from workers.transports.sockets import Stream, greet
from workers.transports.wire import Wire

_READ_BYTES = 64 * 1024
_PIECE_BYTES = 32 * 1024

WhoIsToBlame = Callable[[], TransportError | None]
"""Asked when a session is lost: the error of a proxy on the way, or None when it isn't a proxy's fault."""


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
    if wire.is_active():
        return endpoint.error(
            Cause.PROTOCOL, f"the key exchange was not done within {deadlines.handshake:g} s"
        )
    if wire.farewell or isinstance(error, EOFError | OSError):
        said = wire.farewell or "it closed the connection"
        return endpoint.error(Cause.PROTOCOL, f"the key exchange failed: {said}")
    return endpoint.error(Cause.PROTOCOL, f"the key exchange failed: {cleaned(str(error))}")


class SshSession:
    """A Session on one host over SSH.

    Attributes:
        observed_keys: host keys seen on the way, by name of host or proxy.
    """

    def __init__(
        self,
        wire: Wire,
        endpoint: Endpoint,
        *,
        deadlines: Deadlines,
        who_is_to_blame: WhoIsToBlame,
        observed_keys: dict[str, str],
    ) -> None:
        self._wire = wire
        self._endpoint = endpoint
        self._deadlines = deadlines
        self._who_is_to_blame = who_is_to_blame
        self.observed_keys = observed_keys

    def start(self, command: str, *, stdin: bytes = b"", timeout: float = 15.0) -> "SshFollow":
        """Start ``command``; see Session."""
        end = time.monotonic() + timeout
        channel = self._open_channel(timeout)
        follow = SshFollow(channel, self, self._deadlines)
        try:
            # Not waiting for the answer saves a round trip; a refusal shows in the first read.
            channel.request("exec", command)
            if stdin:
                follow.write(stdin, max(0.0, end - time.monotonic()))
        except ChannelClosedError:
            follow.close()
            raise self.lost() from None
        except BaseException:
            follow.close()
            raise
        return follow

    def _open_channel(self, timeout: float) -> Channel:
        try:
            channel = self._wire.open("session")
            if channel.wait_open(timeout):
                return channel
        except ChannelClosedError:
            raise self.lost() from None
        except ChannelRefusedError as error:
            detail = f"refused to open a session: {error.reason or 'no reason given'}"
            raise self._endpoint.error(Cause.COMMAND, detail) from None
        raise self.lost(f"no answer to a new session within {timeout:g} s")

    @property
    def in_use(self) -> bool:
        """Whether a command's channel is still open."""
        return self._wire.open_channels > 0

    def is_alive(self) -> bool:
        """Whether the connection is open, as far as is known without waiting."""
        return self._wire.is_active()

    def answers(self, timeout: float) -> bool:
        """Whether the host gives a sign of life in time; one round trip."""
        return self._wire.ping(timeout)

    def close(self) -> None:
        """End the connection."""
        self._wire.close()

    def check(self) -> None:
        """Find out, without waiting for the host, whether the connection is still good.

        Raises:
            TransportError: it is lost.
        """
        if not self._wire.lives(silence=self._deadlines.silence, answer=self._deadlines.answer):
            raise self.lost()

    def lost(self, reason: str = "") -> TransportError:
        """The error of a connection that is lost; the connection is closed for good.

        Args:
            reason: how it showed; made from what is known about the connection when empty.
        """
        silent = self._wire.is_active()
        blamed = self._who_is_to_blame()
        self._wire.close()
        if blamed is not None:
            return blamed
        patience = self._deadlines.silence + self._deadlines.answer
        reason = reason or (f"no sign of life for {patience:g} s" if silent else self._wire.why_lost())
        return self._endpoint.error(Cause.CONNECTION_LOST, f"the connection was lost: {reason}")

    def refused(self, what: str) -> TransportError:
        """The error of a command that the host would not take, or did not carry out as commands are."""
        return self._endpoint.error(Cause.COMMAND, what)


class SshFollow:
    """A Follow over one SSH channel."""

    def __init__(self, channel: Channel, session: SshSession, deadlines: Deadlines) -> None:
        self._channel = channel
        self._session = session
        self._glance = deadlines.silence / 3

    def read(self, timeout: float) -> bytes | None:
        """Next bytes of standard output; see Follow."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            data = self._channel.recv(_READ_BYTES, max(0.0, min(left, self._glance)))
            if data:
                return data
            if data is not None:
                self._check_end()
                return data
            self._session.check()
            if left <= self._glance:
                return None

    def _check_end(self) -> None:
        if self._channel.lost:
            raise self._session.lost()
        if self._channel.refused_request:
            raise self._session.refused("refused to run a command")

    def write(self, data: bytes, timeout: float) -> None:
        """Write all of ``data``; see Follow."""
        end = time.monotonic() + timeout
        position = 0
        while position < len(data):
            left = end - time.monotonic()
            try:
                sent = self._channel.send(
                    data[position : position + _PIECE_BYTES], max(0.0, min(left, self._glance))
                )
            except ChannelClosedError:
                self._check_end()
                raise self._session.refused("the command ended before it had read its input") from None
            position += sent
            if not sent:
                self._session.check()
                if left <= self._glance:
                    raise self._session.refused(f"the command read nothing of its input for {timeout:g} s")

    def end_input(self) -> None:
        """Close the command's standard input."""
        with contextlib.suppress(ChannelClosedError):
            self._channel.end_input()

    def errors(self) -> bytes:
        """The head of standard error."""
        return self._channel.errors()

    def exit_status(self, timeout: float) -> int | None:
        """The exit code; see Follow."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            status, over = self._channel.exit_status(max(0.0, min(left, self._glance)))
            if status is not None:
                return status
            self._check_end()
            if over:
                raise self._session.refused("the command ended without an exit code")
            self._session.check()
            if left <= self._glance:
                return None

    def close(self) -> None:
        """Give the channel back."""
        self._channel.close()
