"""A gate in front of a server: it lets all pass, holds one request back, or is shut for a while."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

CHUNK = 65536


class Gate:
    """Forwards TCP between a free loopback port and `port`, while used as a context.

    `watch_for` names bytes, such as part of a path: the first request that carries them waits at
    the gate, `arrived` is set, and it goes on when `let_go` is called. `shut` breaks all
    connections and refuses new ones until `open`.
    """

    def __init__(self, port: int) -> None:
        self.arrived = threading.Event()
        self._target = ("127.0.0.1", port)
        self._watched = b""
        self._free = threading.Event()
        self._pairs: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.let_go()
        self.shut()

    def watch_for(self, words: bytes) -> None:
        self.arrived.clear()
        self._free.clear()
        self._watched = words

    def let_go(self) -> None:
        self._watched = b""
        self._free.set()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def shut(self) -> None:
        listener, self._listener = self._listener, None
        pairs, self._pairs = self._pairs, []
        for one in [listener, *pairs] if listener else pairs:
            _close(one)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
                self._pairs += [client, server]
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=ends, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(CHUNK):
                if self._watched and self._watched in chunk:
                    self.arrived.set()
                    self._free.wait()
                sink.sendall(chunk)
        _close(source)
        _close(sink)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
