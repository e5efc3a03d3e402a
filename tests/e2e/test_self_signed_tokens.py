"""Participant tokens that an application signs itself, with a key that it imported."""

import asyncio
import base64
import json
import time

import botocore.exceptions
import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from support.server import wait_for
from test_aiortc import publish


class Application:
    """A key pair whose public half is imported."""

    def __init__(self, realtime):
        self.key = ec.generate_private_key(ec.SECP384R1())
        material = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        imported = realtime.import_public_key(publicKeyMaterial=material.decode())
        self.kid = imported["publicKey"]["arn"]

    def sign(self, stage, participant, **changed):
        now = int(time.time())
        claims = {
            "exp": now + 600, "iat": now, "jti": participant, "user_id": "ann",
            "resource": stage["arn"], "topic": stage["arn"].split("/")[-1],
            "events_url": stage["endpoints"]["events"], "whip_url": stage["endpoints"]["whip"],
            "capabilities": {"allow_publish": True, "allow_subscribe": True},
            "attributes": {"role": "host"}, "version": "1.0", **changed,
        }
        header = {"alg": "ES384", "typ": "JWT", "kid": self.kid}
        signed = b".".join(encode(json.dumps(part).encode()) for part in (header, claims))
        r, s = utils.decode_dss_signature(self.key.sign(signed, ec.ECDSA(hashes.SHA384())))
        return (signed + b"." + encode(r.to_bytes(48, "big") + s.to_bytes(48, "big"))).decode()


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def make_stage(realtime):
    return realtime.create_stage()["stage"]


def replicate_until_disconnected(realtime, source, participant):
    named = {"sourceStageArn": source, "participantId": participant}
    other = make_stage(realtime)["arn"]

    def started():
        try:
            realtime.start_participant_replication(**named, destinationStageArn=other)
        except realtime.exceptions.ResourceNotFoundException:
            return False
        return True

    wait_for("the participant publishes", started, 15)
    (replica,) = realtime.list_participant_replicas(**named)["replicas"]
    assert replica["replicationState"] == "STOPPED"
    session = realtime.get_stage(arn=source)["stage"]["activeSessionId"]
    assert replica["sourceSessionId"] == session
    realtime.disconnect_participant(stageArn=source, participantId=participant)
    wait_for("the replication ends", lambda: not realtime.list_participant_replicas(**named)["replicas"], 15)


def refusal(server, token):
    headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"}
    answer = requests.post(server.whip, data="v=0", headers=headers, timeout=10)
    return answer.status_code, answer.json()["code"]


def test_a_self_signed_token_joins_until_its_key_is_deleted(server, realtime):
    stage = make_stage(realtime)
    application = Application(realtime)

    async def scenario():
        connection = await publish(server.whip, application.sign(stage, "Ann_1"), "video/VP8")
        await asyncio.to_thread(replicate_until_disconnected, realtime, stage["arn"], "Ann_1")
        await connection.close()

    asyncio.run(scenario())
    assert refusal(server, application.sign(stage, "Ann_1")) == (401, "RevokedToken")
    bob = application.sign(stage, "Bob")
    assert refusal(server, bob)[1] == "MalformedSdp", "the token is good, the offer is not"
    realtime.delete_public_key(arn=application.kid)
    assert refusal(server, bob) == (401, "UnknownKey")


def test_a_self_signed_token_keeps_the_rules(server, realtime):
    stage, gone = make_stage(realtime), make_stage(realtime)
    realtime.delete_stage(arn=gone["arn"])
    application = Application(realtime)
    now = int(time.time())
    for changed, code in [
        ({"version": "0.3"}, "MalformedToken"),
        ({"exp": now + 15 * 24 * 3600}, "MalformedToken"),
        ({"exp": now - 1}, "ExpiredToken"),
        ({"whip_url": "https://example.com/whip"}, "MalformedToken"),
        ({"resource": stage["arn"].replace("123456789012", "210987654321")}, "ForeignToken"),
        ({"capabilities": {"allow_subscribe": True}}, "InsufficientCapabilities"),
    ]:
        token = application.sign(stage, "Ann", **changed)
        assert refusal(server, token)[1] == code, changed
    assert refusal(server, application.sign(gone, "Ann")) == (404, "StageNotFound")
    token = application.sign(stage, "Ann")
    forged = token[:-8] + ("A" * 8 if token[-8:] != "A" * 8 else "B" * 8)
    assert refusal(server, forged) == (401, "InvalidToken")
    with pytest.raises(botocore.exceptions.ClientError, match="ConflictException"):
        material = realtime.get_public_key(arn=application.kid)["publicKey"]["publicKeyMaterial"]
        realtime.import_public_key(publicKeyMaterial=material)
