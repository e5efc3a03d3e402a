"""Browsers of other pages, clients that are slow or too large on purpose, and paths that lead elsewhere."""

import http.client
import re
import resource
import socket
import urllib.parse

import pytest
import requests

from support import stage as st
from support.certificates import make_certificates
from support.server import Process, Server, wait_for

LIMIT_S = 10
# What http_server allows one peer, and some more.
PEER_CONNECTIONS_MAX, TRIED = 1024, 1100
EVIL = "http://evil.example"


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    config = 'metrics_token = "metrics-token-of-this-test"\n'
    with Server(binary, tmp_path_factory.mktemp("server"), config=config) as server:
        yield server


@pytest.fixture(scope="module")
def bucket(realtime, s3):
    return st.make_storage(realtime, s3)[1]


def host_of(url):
    return urllib.parse.urlsplit(url).netloc


def raw(url, request):
    """The status line and all else that a request is answered which no client would send."""
    host, port = host_of(url).split(":")
    with socket.create_connection((host, int(port)), LIMIT_S) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def page_token(server, **headers):
    text = requests.get(server.page, headers=headers, timeout=LIMIT_S).text
    found = re.search(r'name="session-token" content="([^"]+)"', text)
    return found and found.group(1)


@pytest.mark.parametrize("path", [
    "/../../../../etc/passwd", "/assets/../../../../etc/passwd", "/assets/..%2f..%2f..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/..\\..\\..\\etc\\passwd", "/api/video/v1/..%2f..%2fdata%2ftoken-key.pem",
    "/api/video/v1/live/../../../token-key.pem", "/api/video/v1/live/x/%2e%2e%2f%2e%2e%2ftoken-key.pem",
    "/whip/session/..%2f..%2fmetrics", "/session/..%2fmetrics", "//metrics", "/./metrics", "/index.html%00.js",
    "/data/proscenium.db", "/%c0%ae%c0%ae/etc/passwd",
])
def test_no_path_leads_to_a_file(server, bucket, path):
    for url, paths in ((server.http, [path]), (server.s3, [path, f"/{bucket}{path}", f"/{bucket}/../../token-key.pem"])):
        for asked in paths:
            answer = raw(url, f"GET {asked} HTTP/1.1\r\nHost: {host_of(url)}\r\nConnection: close\r\n\r\n".encode())
            status = int(answer.split(b" ", 2)[1])
            assert 400 <= status < 500, (asked, answer[:300])
            assert b"root:" not in answer and b"PRIVATE KEY" not in answer and b"SQLite" not in answer


def test_other_pages_read_what_a_bearer_may_and_never_with_cookies(server):
    asked = {
        "/": None, "/session/config": None, "/session/stages": None, "/metrics": None,
        "/ListStages": "*", "/whip": "*", "/api/video/v1/nobody.m3u8": "*", "/events": "*",
    }
    for path, allowed in asked.items():
        method = "POST" if path in ("/ListStages", "/whip") else "GET"
        for answer in (
            requests.request(method, server.http + path, headers={"Origin": EVIL}, timeout=LIMIT_S),
            requests.options(server.http + path, headers={
                "Origin": EVIL, "Access-Control-Request-Method": method}, timeout=LIMIT_S),
        ):
            assert answer.headers.get("Access-Control-Allow-Origin") in (None, allowed), (path, answer.headers)
            assert "Access-Control-Allow-Credentials" not in answer.headers


def test_every_answer_tells_browsers_to_show_nothing_of_it(server):
    for path in ("/", "/session/config", "/whip", "/api/video/v1/nobody.m3u8", "/events", "/ListStages", "/nothing"):
        answer = requests.get(server.http + path, timeout=LIMIT_S)
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["X-Frame-Options"] == "DENY", path
        assert headers["Referrer-Policy"] in ("no-referrer", "same-origin"), path
        assert "default-src" in headers["Content-Security-Policy"], path
    page = requests.get(server.page, timeout=LIMIT_S)
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe-eval" not in page.headers["Content-Security-Policy"]
    script = re.search(r'src="(/[^"]+\.js)"', page.text).group(1)
    assert requests.get(server.http + script, timeout=LIMIT_S).headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_stored_as_a_page_runs_no_script(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="page.html", Body=b"<script>1</script>", ContentType="text/html")
    answer = requests.get(f"{server.s3}/{bucket}/page.html", timeout=LIMIT_S)
    assert answer.status_code == 200 and answer.headers["Content-Security-Policy"] == "sandbox"


def test_a_rebound_name_gets_neither_token_nor_answer(server):
    token, port = page_token(server), host_of(server.http).split(":")[1]
    for name in (f"evil.example:{port}", "evil.example", f"127.0.0.1.evil.example:{port}", f"localhost.:{port}", ""):
        assert page_token(server, Host=name) is None, name
        answer = requests.get(
            server.http + "/session/stages", headers={"Host": name, "X-Session-Token": token}, timeout=LIMIT_S)
        assert answer.status_code in (400, 403), (name, answer.text)


def test_another_page_makes_nothing_here(server, realtime):
    token, own = page_token(server), server.http
    url = server.http + "/session/stages"
    name = {"name": "forged"}
    forged = [
        {"Origin": EVIL, "X-Session-Token": token}, {"Origin": EVIL}, {"Origin": "null", "X-Session-Token": token},
        {"Origin": own}, {"Referer": own + "/"}, {"Origin": own, "X-Session-Token": "guess"},
    ]
    for headers in forged:
        assert requests.post(url, json=name, headers=headers, timeout=LIMIT_S).status_code == 403, headers
    # What a form can send without asking first.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"Content-Type": kind, "Origin": own, "X-Session-Token": token}
        assert requests.post(url, data='{"name":"forged"}', headers=headers, timeout=LIMIT_S).status_code == 400
    assert "forged" not in [stage.get("name") for stage in realtime.list_stages()["stages"]]
    made = requests.post(url, json={"name": "own"}, headers={"Origin": own, "X-Session-Token": token}, timeout=LIMIT_S)
    assert made.status_code == 201, made.text


def test_what_is_too_large_is_refused_at_every_door(server, realtime):
    token = st.token(realtime, st.make_stage(realtime), "ada")["token"]
    bodies = [
        ("/CreateStage", 2 << 20, {}, (400, 413)),
        ("/whip", 300 << 10, {"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"}, (413,)),
        ("/session/stages", 70 << 10, {"Content-Type": "application/json", "X-Session-Token": page_token(server)}, (400, 413)),
    ]
    for path, size, headers, refusals in bodies:
        for body in (b"a" * size, iter([b"a" * 1024] * (size // 1024))):
            try:
                answer = requests.post(server.http + path, data=body, headers=headers, timeout=LIMIT_S)
            except requests.ConnectionError:
                # It answered and closed while the rest was on its way.
                continue
            assert answer.status_code in refusals, (path, answer.status_code, answer.text)
    for url in (server.http, server.s3):
        long = {"X-Long": "a" * (200 << 10)}
        many = {f"X-{n}": "a" for n in range(150)}
        for headers in (long, many):
            assert requests.get(url + "/", headers=headers, timeout=LIMIT_S).status_code == 431
        assert requests.get(url + "/" + "a" * (200 << 10), timeout=LIMIT_S).status_code in (414, 431)
    realtime.list_stages()


def test_a_peer_with_a_thousand_slow_connections_is_alone_with_them(server, realtime):
    """peers.md, hostile clients: one that opens connections and says nothing keeps nobody else out."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    host, port = host_of(server.http).split(":")
    connections = []
    try:
        for _ in range(TRIED):
            connection = socket.create_connection((host, int(port)), LIMIT_S, source_address=("127.0.0.2", 0))
            connections.append(connection)
            try:
                connection.sendall(b"POST /ListStages HTTP/1.1\r\nHost: ")
            except (BrokenPipeError, ConnectionResetError):
                pass

        def closed():
            count = 0
            for connection in connections:
                connection.setblocking(False)
                try:
                    count += connection.recv(1) == b""
                except ConnectionResetError:
                    count += 1
                except BlockingIOError:
                    pass
            return count if count >= TRIED - PEER_CONNECTIONS_MAX else None

        assert wait_for("the surplus to be closed", closed, LIMIT_S) == TRIED - PEER_CONNECTIONS_MAX
        client = http.client.HTTPConnection(host, int(port), LIMIT_S, source_address=("127.0.0.2", 0))
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            client.request("GET", "/")
            client.getresponse()
        realtime.list_stages()
    finally:
        for connection in connections:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_https_with_a_certificate_of_ones_own(binary, tmp_path, monkeypatch):
    import boto3

    ca, pair = tmp_path / "ca.pem", tmp_path / "server.pem"
    make_certificates(ca, pair)
    config = f'[tls]\ncertificate = "{pair}"\nkey = "{pair}"\n'
    with Server(binary, tmp_path / "server", config=config) as server:
        assert server.http.startswith("https://") and server.page.startswith("https://")
        key = {"aws_access_key_id": "PROSCENIUMDEV", "aws_secret_access_key": "proscenium-development-secret"}
        client = boto3.client(
            "ivs-realtime", endpoint_url=server.http, region_name="us-east-1", verify=str(ca), **key)
        stage = client.create_stage(name="over-TLS")["stage"]
        assert stage["endpoints"]["whip"].startswith("https://")
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.page, timeout=LIMIT_S)
        plain = raw(server.http, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert not plain.startswith(b"HTTP"), plain

        page = requests.get(server.page, verify=str(ca), timeout=LIMIT_S)
        token = re.search(r'name="session-token" content="([^"]+)"', page.text).group(1)
        for origin, status in ((server.http, 201), (server.http.replace("https:", "http:"), 403)):
            made = requests.post(server.http + "/session/stages", json={}, verify=str(ca), timeout=LIMIT_S, headers={
                "Origin": origin, "X-Session-Token": token})
            assert made.status_code == status, made.text
        monkeypatch.setenv("SSL_CERT_FILE", str(ca))
        participant = client.create_participant_token(stageArn=stage["arn"])["participantToken"]
        server.publish(participant["token"], "--size", "160x120", whip=stage["endpoints"]["whip"]).stop()


def test_https_with_files_that_do_not_fit_refuses_to_start(binary, tmp_path):
    ca, pair, other = (tmp_path / name for name in ("ca.pem", "server.pem", "other.pem"))
    make_certificates(ca, pair)
    make_certificates(tmp_path / "other-ca.pem", other)
    for certificate, key, said in (
        (pair, tmp_path / "nowhere.pem", "nowhere.pem"), (ca, ca, "a private key"), (pair, other, "cannot be used together"),
    ):
        (tmp_path / "config.toml").write_text(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n')
        log = tmp_path / "log"
        refused = Process(
            [binary, "serve", "--data-dir", tmp_path / "data", "--http", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--s3",
             "127.0.0.1:0", "--webrtc", "127.0.0.1:0", "--config", tmp_path / "config.toml"], log=log)
        assert refused.child.wait(LIMIT_S) == 1
        assert said in log.read_text(), log.read_text()
