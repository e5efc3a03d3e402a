"""A proxy before a TCP server: it closes, resets, hangs, falls silent, disappears."""

import asyncio
import threading

READ_BYTES = 64 * 1024


class TcpProxy:
    """Listens on loopback for what is behind `port`, which may be set later."""

    def __init__(self, port=None):
        self.behind, self.port = port, 0
        self.accepted = 0
        self._connections = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.appear()

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

    def vanish(self):
        self._run(self._vanish())

    def appear(self):
        self._run(self._listen())

    def close(self):
        self.vanish()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _each(self, action):
        async def act():
            for connection in list(self._connections):
                action(connection)

        self._run(act())

    async def _listen(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _vanish(self):
        self._server.close()
        for connection in list(self._connections):
            connection.abort()

    async def _serve(self, reader, writer):
        self.accepted += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(writer, far_writer)
        self._connections.add(connection)
        try:
            await asyncio.gather(
                connection.pump(reader, far_writer, lambda: False),
                connection.pump(far_reader, writer, lambda: connection.is_mute))
        except OSError:
            connection.abort()
        finally:
            self._connections.discard(connection)
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
