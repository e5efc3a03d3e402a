"""A bad network between a publisher and the server: its UDP is lost, delayed, reordered and doubled."""

import asyncio
import http.server
import random
import threading

import requests

PASSED_HEADERS = ("Content-Type", "Authorization", "Origin", "If-Match",
                  "Access-Control-Request-Method", "Access-Control-Request-Headers")
OWN_HEADERS = ("connection", "content-length", "date", "server", "transfer-encoding")
IP_UDP_HEADER_BYTES = 28


class _Far(asyncio.DatagramProtocol):
    """What the server sends to one publisher."""

    def __init__(self, relay, publisher):
        self.relay, self.publisher = relay, publisher

    def datagram_received(self, data, _):
        self.relay.carry(self.relay.near, data, self.publisher)


class _Near(asyncio.DatagramProtocol):
    """What publishers send; each gets a socket of its own towards the server."""

    def __init__(self, relay):
        self.relay, self.far = relay, {}

    def datagram_received(self, data, publisher):
        if publisher not in self.far:
            self.far[publisher] = asyncio.ensure_future(self.relay.connect(publisher))
        self.far[publisher].add_done_callback(lambda far: self.relay.carry(far.result(), data))


class Relay:
    """Stands before a WHIP server. Of each way's packets a share of `loss` is lost, the others take 0 to `jitter_s`.

    A share of `doubled` comes twice; what is longer than `mtu` bytes (IP and UDP headers included) does not come.
    """

    def __init__(self, whip, background, loss, jitter_s, seed=1, doubled=0, mtu=65_535):
        self.loss, self.jitter_s, self.random = loss, jitter_s, random.Random(seed)
        self.doubled, self.mtu = doubled, mtu
        self.carried = self.lost = self.reordered = self.too_long = 0
        self._last_due = 0
        self._background = background
        self._server = whip.removesuffix("/whip")
        self._media = None
        self.near, self._protocol = background.run(self._listen())
        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.whip = f"http://127.0.0.1:{self._http.server_port}/whip"

    async def _listen(self):
        return await self._background.loop.create_datagram_endpoint(
            lambda: _Near(self), local_addr=("127.0.0.1", 0))

    async def connect(self, publisher):
        far, _ = await self._background.loop.create_datagram_endpoint(
            lambda: _Far(self, publisher), remote_addr=("127.0.0.1", self._media))
        return far

    async def _rebind(self):
        old = {publisher: await far for publisher, far in self._protocol.far.items()}
        self._protocol.far.clear()
        for far in old.values():
            far.close()

    def rebind(self):
        """As a NAT that has forgotten everybody: from now on all publishers come from other ports."""
        self._background.run(self._rebind())

    def carry(self, way, data, to=None):
        if len(data) + IP_UDP_HEADER_BYTES > self.mtu:
            self.too_long += 1
            return
        if self.random.random() < self.doubled:
            self._background.loop.call_later(self.jitter_s, way.sendto, data, to)
        if self.random.random() < self.loss:
            self.lost += 1
            return
        due = self._background.loop.time() + self.random.uniform(0, self.jitter_s)
        self.carried += 1
        self.reordered += due < self._last_due
        self._last_due = due
        self._background.loop.call_at(due, way.sendto, data, to)

    def _reroute(self, answer):
        """Leaves one candidate: the relay's."""
        lines = []
        for line in answer.splitlines():
            if line.startswith("a=candidate:"):
                parts = line.split(" ")
                if parts[2].lower() != "udp" or parts[4] != "127.0.0.1":
                    continue
                self._media = int(parts[5])
                parts[5] = str(self.near.get_extra_info("sockname")[1])
                line = " ".join(parts)
            lines.append(line)
        return "\r\n".join(lines) + "\r\n"

    def _handler(relay):
        class Handler(http.server.BaseHTTPRequestHandler):
            def forward(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                # Without the publisher's candidates the server can only answer, and so finds no way around.
                body = "".join(f"{line}\r\n" for line in body.splitlines() if not line.startswith("a=candidate:"))
                headers = {name: self.headers[name] for name in PASSED_HEADERS if name in self.headers}
                answer = requests.request(
                    self.command, relay._server + self.path, data=body, headers=headers, timeout=10)
                text = relay._reroute(answer.text) if answer.status_code == 201 else answer.text
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name.lower() not in OWN_HEADERS:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_POST = do_PATCH = do_DELETE = do_OPTIONS = forward

            def log_message(self, *_):
                pass

        return Handler

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._http.server_close()

        async def close():
            self.near.close()
            for far in self._protocol.far.values():
                (await far).close()

        self._background.run(close())
