"""A reader of `GET /events` and a receiver of webhooks."""

import datetime
import hashlib
import hmac
import http.server
import ipaddress
import json
import ssl
import threading
import time

import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

READ_LIMIT_S = 30


def open_events(server, last=None):
    """The raw response of `GET /events`, signed as the SDKs sign."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    request = AWSRequest("GET", server.http + "/events", headers=headers)
    credentials = Credentials("PROSCENIUMDEV", "proscenium-development-secret")
    SigV4Auth(credentials, "ivs", "us-east-1").add_auth(request)
    return requests.get(request.url, headers=dict(request.headers), stream=True, timeout=READ_LIMIT_S)


def read_events(server, count, last=None, wanted=lambda envelope: True):
    """The next `count` events that are wanted: their numbers and envelopes."""
    response = open_events(server, last)
    assert response.status_code == 200, response.text
    found, fields = [], {}
    deadline = time.monotonic() + READ_LIMIT_S
    for line in response.iter_lines(decode_unicode=True):
        assert time.monotonic() < deadline, f"{len(found)} of {count} events within {READ_LIMIT_S} s: {found}"
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
        _make_certificates(self.ca, certificate)
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


def _make_certificates(ca_file, server_file):
    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(name, key, issuer, issuer_key, extensions):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(issuer_key, hashes.SHA256())

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = certificate("tests", ca_key, None, ca_key, [(x509.BasicConstraints(ca=True, path_length=0), True)])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    leaf = certificate("receiver", key, ca.subject, ca_key, [
        (x509.SubjectAlternativeName([address]), False), (x509.BasicConstraints(ca=False, path_length=None), True)])
    pem = serialization.Encoding.PEM
    ca_file.write_bytes(ca.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server_file.write_bytes(private + leaf.public_bytes(pem))
