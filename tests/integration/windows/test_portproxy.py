"""The lab's Windows proxy: what clients see of it, and when it or the target is down."""

import socket
import struct
from collections.abc import Iterator

import pytest

from lab.tcp import free_port
from lab.windows.portproxy import PortProxy
from tests.support.processes import comes_true

pytestmark = pytest.mark.integration


@pytest.fixture
def target() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5.0)
        yield server


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5.0)


def test_bytes_pass_both_ways_and_ends_too(target: socket.socket) -> None:
    port = free_port()
    with PortProxy("127.0.0.1", {port: target.getsockname()}) as proxy, _connected(port) as client:
        client.sendall(b"to the host")
        there, _ = target.accept()
        with there:
            assert there.recv(100) == b"to the host"
            there.sendall(b"back")
            assert client.recv(100) == b"back"
            client.shutdown(socket.SHUT_WR)
            assert there.recv(100) == b""
        assert proxy.relayed == 1


def test_all_of_what_was_sent_arrives_though_both_ends_are_long_over(target: socket.socket) -> None:
    port, sent = free_port(), bytes(range(256)) * 2000
    with PortProxy("127.0.0.1", {port: target.getsockname()}) as proxy, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.settimeout(5.0)
        client.connect(("127.0.0.1", port))
        client.shutdown(socket.SHUT_WR)
        there, _ = target.accept()
        with there:
            there.sendall(sent)
        assert comes_true(lambda: proxy.open == 0, 5.0)
        received = b""
        while data := client.recv(65_536):
            received += data
    assert received == sent


def test_a_target_that_resets_resets_the_client(target: socket.socket) -> None:
    port = free_port()
    with PortProxy("127.0.0.1", {port: target.getsockname()}), _connected(port) as client:
        there, _ = target.accept()
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        there.close()
        with pytest.raises(ConnectionResetError):
            assert client.recv(1)


def test_a_target_that_is_down_shows_as_a_connection_that_is_cut(target: socket.socket) -> None:
    port, nobody = free_port(), free_port()
    with PortProxy("127.0.0.1", {port: ("127.0.0.1", nobody)}) as proxy:
        # It is taken and then reset, which a quick proxy does before ``connect`` has returned.
        with pytest.raises(ConnectionResetError), _connected(port) as client:
            client.recv(1)
        proxy.targets[port] = target.getsockname()
        with _connected(port) as again:
            again.sendall(b"x")
            there, _ = target.accept()
            there.close()


def test_a_proxy_that_goes_down_cuts_what_it_relays_and_comes_back(target: socket.socket) -> None:
    port = free_port()
    with PortProxy("127.0.0.1", {port: target.getsockname()}) as proxy:
        with _connected(port) as client:
            client.sendall(b"x")
            there, _ = target.accept()
            with there:
                proxy.cut()
                with pytest.raises(ConnectionResetError):
                    assert client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            _connected(port)
        proxy.listen()
        _connected(port).close()
