"""A package server: serves one directory by HTTP and keeps a log of who pulled what."""

import argparse
import functools
import http.server
import json
import signal
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """One answered request.

    Attributes:
        client: the address that it came from, as this server sees it.
        path: what was asked for.
        status: the answer.
    """

    client: str
    path: str
    status: int


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files; tells the server's log about each answer."""

    server: "_Server"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        del size
        self.server.log.add(Access(client=self.client_address[0], path=self.path, status=int(code)))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name for it
        del format, args


class AccessLog:
    """Every answered request, in a file of JSON lines, safe to write from many threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def add(self, access: Access) -> None:
        """Append one line."""
        with self._lock, self._path.open("a") as file:
            file.write(json.dumps(asdict(access)) + "\n")

    def read(self) -> list[Access]:
        """All accesses so far."""
        if not self._path.exists():
            return []
        return [Access(**json.loads(line)) for line in self._path.read_text().splitlines()]


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], directory: Path, log: AccessLog) -> None:
        self.log = log
        super().__init__(address, functools.partial(_Handler, directory=str(directory)))

    def handle_error(self, request: object, client_address: object) -> None:
        """A host that hangs up in the middle is its own business."""


class PackageServer:
    """A package server in a thread, for as long as this context lasts."""

    def __init__(self, directory: Path, *, log: Path, address: str = "127.0.0.1", port: int = 0) -> None:
        """Listen at once; answers are given from ``__enter__`` on.

        Args:
            directory: what is served.
            log: file of JSON lines for the accesses.
            address: where to listen.
            port: a free one when 0.
        """
        self.log = AccessLog(log)
        self._server = _Server((address, port), directory, self.log)
        self._thread = threading.Thread(target=self._server.serve_forever, name="package-server", daemon=True)

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def main() -> int:
    """Serve packages in the foreground until SIGTERM or SIGINT; prints the address when ready."""
    parser = argparse.ArgumentParser(prog="python -m lab.package_server", description=main.__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    endings = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, endings)
    with PackageServer(
        arguments.directory, log=arguments.log, address=arguments.address, port=arguments.port
    ) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        signal.sigwait(endings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
