"""A fault proxy in front of the embedded S3 server: what goes wrong is chosen for each bucket. It also watches that what is
uploaded keeps the rules of recordings."""

import asyncio
import hashlib
import re

from .background import STREAM_LIMIT_BYTES, Proxy

SLOW_BYTES_PER_S = 1000

NONE = "none"
SLOW = "slow"
SLOW_DOWN = "503 SlowDown"
INTERNAL_ERROR = "500 InternalError"
TIME_OUT_IN_REQUEST = "time-out half-way through the request"
TIME_OUT_BEFORE_ANSWER = "time-out before the answer"
RESET = "connection reset"
WRONG_CHECKSUM = "wrong checksum"
EXPIRED = "expired credentials"
SKEWED = "clock skew"
DENIED = "access denied"

# Status and code as S3 answers.
REFUSALS = {
    SLOW_DOWN: (503, "SlowDown"),
    INTERNAL_ERROR: (500, "InternalError"),
    EXPIRED: (400, "ExpiredToken"),
    SKEWED: (403, "RequestTimeTooSkewed"),
    DENIED: (403, "AccessDenied"),
}
# Files that may change.
MUTABLE = re.compile(r"\.m3u8$|/latest_thumbnail/")
CLOSING = re.compile(r"/events/recording-(ended|failed)\.json$")


class Request:
    """One request as it came."""

    def __init__(self, head: bytes, body: bytes):
        self.head, self.body = head, body
        method, target = head.split(b" ", 2)[:2]
        self.method, self.target = method.decode(), target.decode()
        self.bucket, _, self.key = self.target.partition("?")[0].lstrip("/").partition("/")

    @property
    def is_upload(self):
        return self.method == "PUT" and bool(self.key)


class UploadRules:
    """Looks at every upload that the server behind is about to take, in order."""

    def __init__(self):
        self.violations = []
        self.stored = {}  # by bucket: the keys that the server has confirmed
        self.sent = {}  # by bucket: hashes by key

    def sending(self, request):
        if not request.is_upload:
            return
        bucket, key, body = request.bucket, request.key, request.body
        known = self.sent.setdefault(bucket, {})
        prefix = key.split("/composite/")[0]
        is_over = any(CLOSING.search(other) and other.startswith(prefix) for other in self.stored.get(bucket, set()))
        if is_over and not CLOSING.search(key):
            self.violations.append(f"{key} comes after the closing document")
        digest = hashlib.sha256(body).hexdigest()
        if not MUTABLE.search(key) and known.setdefault(key, digest) != digest:
            self.violations.append(f"{key} has two contents")
        if key.endswith("/playlist.m3u8"):
            folder = key.rpartition("/")[0]
            for name in (line for line in body.decode().splitlines() if line and line[0] != "#"):
                if f"{folder}/{name}" not in self.stored.get(bucket, set()):
                    self.violations.append(f"{key} names {name}, which is not there")

    def confirmed(self, request):
        """The server behind has it, whatever the client hears of it."""
        if request.is_upload:
            self.stored.setdefault(request.bucket, set()).add(request.key)


class S3Proxy(Proxy):
    """Listens on loopback. `set` chooses what goes wrong with the requests to a bucket; `vanish` is for all of them."""

    def __init__(self, port):
        self.injected = {}
        self.rules = UploadRules()
        self._faults = {}
        super().__init__(port)
        self.url = f"http://127.0.0.1:{self.port}"

    def set(self, bucket, fault):
        self.injected[bucket] = 0
        self._faults[bucket] = fault

    async def serve(self, reader, writer):
        self.connections.add(writer.transport)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections.discard(writer.transport)
            writer.close()

    async def _one(self, reader, writer):
        """Answers one request; says whether another may follow on the connection."""
        head = await reader.readuntil(b"\r\n\r\n")
        request = Request(head, b"")
        fault = self._faults.get(request.bucket, NONE)
        self.injected[request.bucket] = self.injected.get(request.bucket, 0) + (fault != NONE)
        length = int(_header(head, b"content-length") or 0)
        if fault in (RESET, TIME_OUT_IN_REQUEST):
            await reader.readexactly(length // 2)
            if fault == TIME_OUT_IN_REQUEST:
                await self._hang(request.bucket, fault)
            writer.transport.abort()
            return False
        if fault == SLOW:
            request.body = await self._slowly(reader, request.bucket, length)
        else:
            request.body = await reader.readexactly(length)
        if fault in REFUSALS:
            answer = _refusal(request, *REFUSALS[fault])
        elif fault == WRONG_CHECKSUM and request.body:
            request.body = request.body[:-1] + bytes([request.body[-1] ^ 1])
            answer = await self._forward(request)
        else:
            self.rules.sending(request)
            answer = await self._forward(request)
            if answer.split(b" ", 2)[1] == b"200":
                self.rules.confirmed(request)
        if fault == TIME_OUT_BEFORE_ANSWER:
            writer.write(answer[:len(answer) // 2])
            await writer.drain()
            await self._hang(request.bucket, fault)
            writer.transport.abort()
            return False
        writer.write(answer)
        await writer.drain()
        return True

    async def _hang(self, bucket, fault):
        while self._faults.get(bucket) == fault:
            await asyncio.sleep(0.1)

    async def _slowly(self, reader, bucket, length):
        body = b""
        while len(body) < length:
            body += await reader.readexactly(min(SLOW_BYTES_PER_S // 10, length - len(body)))
            if self._faults.get(bucket) == SLOW:
                await asyncio.sleep(0.1)
        return body

    async def _forward(self, request):
        """The whole answer of the server behind."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.behind, limit=STREAM_LIMIT_BYTES)
        try:
            writer.write(request.head + request.body)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = _header(head, b"content-length")
            if request.method == "HEAD" or not (length or _header(head, b"transfer-encoding")):
                return head
            if length:
                return head + await reader.readexactly(int(length))
            body = b""
            while not body.endswith(b"0\r\n\r\n"):
                body += await reader.readuntil(b"\r\n")
            return head + body
        finally:
            writer.close()


def _header(head, name):
    found = re.search(rb"(?i)\r\n" + name + rb": *([^\r]*)", head)
    return found and found[1]


def _refusal(request, status, code):
    text = "" if request.method == "HEAD" else f"<Error><Code>{code}</Code><Message>as injected</Message></Error>"
    return (f"HTTP/1.1 {status} Injected\r\ncontent-type: application/xml\r\n"
            f"content-length: {len(text)}\r\n\r\n{text}").encode()
