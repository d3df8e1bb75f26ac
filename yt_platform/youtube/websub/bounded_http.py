"""HTTP/1.1 for an address that anyone may reach: whoever sends slowly, much or often takes room from nobody else.

uvicorn bounds no time to send a request, and its default parser (httptools) no size of headers. What is sent in answer
is the application's; it closes the connection with `connection: close`, so that a connection is one request.
"""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_BYTES = 16 << 10
"""Of request line and headers that come in pieces; in one piece they may have the 256 kB that asyncio reads at once. A
hub sends some hundred bytes."""

CONNECTION_SECONDS = 20
"""From the first byte of a connection to the last of the answer: a hub's megabyte takes a second."""

CONNECTIONS, CONNECTIONS_OF_ONE = 256, 64
"""At a time, of everybody and of one address. A proxy is one address, and bounds its own clients."""


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol within the bounds above. What goes beyond them is cut off without an answer or a line in the
    log, as both are what a flood would make us do; too long headers get 400."""

    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        of_one = sum(1 for other in self.connections if _address(other) == _address(self))
        if len(self.connections) > CONNECTIONS or of_one > CONNECTIONS_OF_ONE:
            transport.abort()
        else:
            self._end = self.loop.call_later(CONNECTION_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._end:
            self._end.cancel()
        super().connection_lost(exc)


def _address(connection: object) -> str | None:
    client = getattr(connection, "client", None)
    return client[0] if client else None
