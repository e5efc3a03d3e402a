"""A reader of `GET /events` and a receiver of webhooks."""

import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .certificates import make_certificates

READ_LIMIT_S = 30


def open_events(server, last=None):
    """The raw response of `GET /events`, signed as the SDKs sign."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    request = AWSRequest("GET", server.http + "/events", headers=headers)
    credentials = Credentials("PROSCENIUMDEV", "proscenium-development-secret")
    SigV4Auth(credentials, "ivs", "us-east-1").add_auth(request)
    return requests.get(request.url, headers=dict(request.headers), stream=True, timeout=READ_LIMIT_S)


def read_events(server, count, last=None, wanted=lambda envelope: True, limit_s=READ_LIMIT_S):
    """The next `count` events that are wanted: their numbers and envelopes."""
    response = open_events(server, last)
    assert response.status_code == 200, response.text
    found, fields = [], {}
    deadline = time.monotonic() + limit_s
    for line in response.iter_lines(decode_unicode=True):
        assert time.monotonic() < deadline, f"{len(found)} of {count} events within {limit_s} s: {found}"
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
        elif "data" in fields:
            envelope = json.loads(fields["data"])
            assert fields["event"] == envelope["detail-type"]
            if wanted(envelope):
                found.append((int(fields["id"]), envelope))
            fields = {}
            if len(found) == count:
                break
    response.close()
    return found


class Receiver:
    """An HTTPS server that keeps what webhooks tell it, and refuses while `refusing` is set."""

    def __init__(self, folder, secret):
        self.told = []
        self.refusing = threading.Event()
        self.secret = secret
        self.ca = folder / "ca.pem"
        certificate = folder / "receiver.pem"
        make_certificates(self.ca, certificate)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.check(self.headers["proscenium-signature"], body)
                status = 503 if receiver.refusing.is_set() else 204
                number = int(self.headers["proscenium-event-id"])
                receiver.told.append((status, number, json.loads(body)))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def check(self, signature, body):
        stated = dict(part.split("=") for part in signature.split(","))
        signed = stated["t"].encode() + b"." + body
        expected = hmac.new(self.secret.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, stated["v1"]):
            self.told.append(("wrong signature", signature, body))

    def taken(self):
        return [(number, envelope) for status, number, envelope in self.told if status == 204]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
