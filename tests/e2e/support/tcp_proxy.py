"""A proxy before a TCP server: it closes, resets, hangs, falls silent, disappears."""

import asyncio

from .background import Proxy

READ_BYTES = 64 * 1024


class TcpProxy(Proxy):
    """Passes on what comes until it is told otherwise."""

    accepted = 0

    def close_connections(self):
        """As a server that ends: FIN."""
        self._each(lambda connection: connection.close())

    def reset(self):
        """As a server that was killed: RST."""
        self._each(lambda connection: connection.abort())

    def hang(self):
        """Nothing is taken any more on the connections that there are; they stay open."""
        self._each(lambda connection: connection.is_open.clear())

    def mute(self):
        """Everything is taken, but the server is not heard any more on the connections that there are."""
        self._each(lambda connection: setattr(connection, "is_mute", True))

    def release(self):
        """Ends what hangs or is mute; the server behind may not have noticed until now."""
        self._each(lambda connection: connection.is_well or connection.abort())

    def _each(self, action):
        async def act():
            for connection in list(self.connections):
                action(connection)

        self.background.run(act())

    async def serve(self, reader, writer):
        self.accepted += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, far_writer)
        self.connections.add(connection)
        try:
            await asyncio.gather(
                connection.pump(reader, far_writer, lambda: False),
                connection.pump(far_reader, writer, lambda: connection.is_mute))
        except OSError:
            connection.abort()
        finally:
            self.connections.discard(connection)
            connection.close()


class _Connection:
    def __init__(self, *writers):
        self.writers = writers
        self.is_mute = False
        self.is_open = asyncio.Event()
        self.is_open.set()

    @property
    def is_well(self):
        return self.is_open.is_set() and not self.is_mute

    async def pump(self, reader, writer, is_dropped):
        while data := await reader.read(READ_BYTES):
            await self.is_open.wait()
            if not is_dropped():
                writer.write(data)
                await writer.drain()
        self.close()

    def close(self):
        self.is_open.set()
        for writer in self.writers:
            writer.close()

    def abort(self):
        self.is_open.set()
        for writer in self.writers:
            writer.transport.abort()
