"""Whatever is thrown at it: a clear error, and a server unharmed."""

import datetime
import os
import socket

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support import stage as st
from support.server import wait_for

KEY = Credentials("PROSCENIUMDEV", "proscenium-development-secret")


def signed(server, body=b"{}", region="us-east-1", path="/ListStages", key=KEY):
    request = AWSRequest("POST", server.http + path, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(key, "ivs", region).add_auth(request)
    return request.prepare()


def send(server, prepared, body=None):
    return requests.post(
        prepared.url, data=prepared.body if body is None else body, headers=dict(prepared.headers), timeout=10)


@pytest.fixture(autouse=True)
def unharmed(server, realtime):
    yield
    assert server.child.poll() is None
    realtime.list_stages()
    assert "panicked" not in server.log.read_text()


def test_signatures_that_do_not_hold_are_refused(server):
    assert send(server, signed(server)).status_code == 200
    tampered = send(server, signed(server), body=b'{"maxResults":1}')
    wrong_region = send(server, signed(server, region="eu-west-1"))
    wrong_secret = send(server, signed(server, key=Credentials("PROSCENIUMDEV", "guess")))
    wrong_key = send(server, signed(server, key=Credentials("NOBODY", "guess")))
    for answer in (tampered, wrong_region, wrong_secret, wrong_key):
        assert answer.status_code == 403, answer.text
        assert answer.headers["x-amzn-ErrorType"] and answer.json()["message"]


def test_an_old_signature_is_refused(server, monkeypatch):
    import botocore.auth

    old = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=6)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *a, **k: old.replace(tzinfo=None))
    answer = send(server, signed(server))
    assert answer.status_code == 403 and answer.json()["message"]


@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b"{", b'{"name":7}', b'{"name":{}}', b'{"tags":[1]}', b'{"name":"a b"}',
    b'{"participantTokenConfigurations":[{"duration":0}]}', b"\xff\xfe", b'{"name":"' + b"a" * 129 + b'"}',
    b"[" * 10_000,
])
def test_json_that_is_not_the_model_is_a_validation_error(server, body):
    answer = send(server, signed(server, body=body, path="/CreateStage"))
    if body == b"":
        assert answer.status_code in (200, 400)
        return
    assert answer.status_code == 400, answer.text
    assert answer.headers["x-amzn-ErrorType"].startswith("ValidationException")
    assert answer.json()["message"]


def test_a_huge_body_is_refused(server):
    body = b'{"name":"' + b"a" * (2 * 1024 * 1024) + b'"}'
    answer = send(server, signed(server, body=body, path="/CreateStage"))
    assert answer.status_code in (400, 413) and answer.json()["message"]


def test_broken_sdp_and_tokens_are_refused_with_json(server, realtime):
    stage = st.make_stage(realtime)
    good = st.token(realtime, stage, "ada")["token"]
    subscribe_only = st.token(realtime, stage, "bob", capabilities=["SUBSCRIBE"])["token"]
    publish_only = st.token(realtime, stage, "cyd", capabilities=["PUBLISH"])["token"]
    header, payload, signature = good.split(".")
    sdp = {"Content-Type": "application/sdp"}

    def post(token, body="v=0\r\n", path="", headers=sdp):
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.post(server.whip + path, data=body, headers={**headers, **authorization}, timeout=10)

    assert post(None).status_code == 401
    assert post("nonsense").status_code == 401
    assert post(f"{header}.{payload}.{signature[:-4]}AAAA").status_code == 401
    assert post(subscribe_only).status_code == 403
    assert post(publish_only, path="/subscribe/nobody").status_code == 403
    assert post(good, path="/subscribe/nobody").status_code in (400, 404)
    assert post(good, headers={"Content-Type": "application/json"}).status_code == 415
    for body in ("", "hello", "v=0\r\n", "\0" * 1000, "v=0\r\nm=video 9 X 1\r\n" * 500, "a" * 1_000_000):
        answer = post(good, body)
        assert answer.status_code in (400, 413, 422), (body[:20], answer.status_code, answer.text)
        if answer.status_code != 413:
            assert answer.json()["message"]
    realtime.delete_stage(arn=stage)
    assert post(good).status_code in (401, 404)


def test_whip_answers_preflights(server):
    answer = requests.options(server.whip, headers={
        "Origin": "http://app.example", "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type"}, timeout=5)
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()


@pytest.mark.parametrize("first", [b"", b"\x03", b"\x06" * 1537, b"GET / HTTP/1.1\r\n\r\n", None])
def test_rtmp_garbage_closes_the_connection(server, first):
    host, port = server.rtmp.split("//")[1].split("/")[0].split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.settimeout(20)
        try:
            connection.sendall(os.urandom(100_000) if first is None else first + os.urandom(4000) * bool(first))
            if first == b"":
                connection.shutdown(socket.SHUT_WR)
            wait_for("end of the connection", lambda: connection.recv(4096) == b"" or None, 20)
        except (ConnectionResetError, BrokenPipeError):
            pass


def test_unknown_paths_are_404(server):
    answer = send(server, signed(server, path="/DropTables"))
    assert answer.status_code == 404 and answer.headers["x-amzn-ErrorType"]
