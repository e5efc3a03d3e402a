"""asyncio beside a test that waits: a loop in a thread of its own, and TCP proxies that live there."""

import asyncio
import threading

STREAM_LIMIT_BYTES = 64 * 1024


class Background:
    """An asyncio loop in a thread of its own."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, coroutine, limit_s=20):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(limit_s)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


class Proxy:
    """Listens on loopback for what is behind `port`, which may be set later; `serve` is what it does with a connection."""

    def __init__(self, port=None):
        self.behind, self.port = port, 0
        self.connections = set()  # each can be aborted
        self.background = Background()
        self.appear()

    async def serve(self, reader, writer):
        raise NotImplementedError

    def appear(self):
        self.background.run(self._listen())

    def vanish(self):
        """Nobody listens any more."""
        self.background.run(self._vanish())

    def close(self):
        self.vanish()
        self.background.close()

    async def _listen(self):
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, limit=STREAM_LIMIT_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _vanish(self):
        self._server.close()
        for connection in list(self.connections):
            connection.abort()
