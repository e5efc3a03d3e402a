"""The AWS surface through boto3, unmodified."""

import base64
import json
import re

import pytest
import requests
from botocore.exceptions import ClientError

from support import stage as st


def code_of(error):
    return error.value.response["Error"]["Code"], error.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_stage_lives_from_create_to_delete(realtime):
    made = realtime.create_stage(
        name="rehearsal", tags={"team": "stage"},
        participantTokenConfigurations=[{"userId": "ada", "capabilities": ["PUBLISH"]}, {}],
    )
    stage, tokens = made["stage"], made["participantTokens"]
    assert re.fullmatch(r"arn:aws:ivs:us-east-1:123456789012:stage/[A-Za-z0-9]{12}", stage["arn"])
    assert stage["endpoints"]["whip"].endswith("/whip")
    assert [t.get("userId") for t in tokens] == ["ada", None] or tokens[1].get("userId") == ""
    assert realtime.get_stage(arn=stage["arn"])["stage"]["tags"] == {"team": "stage"}
    assert stage["arn"] in [s["arn"] for s in realtime.list_stages()["stages"]]
    realtime.delete_stage(arn=stage["arn"])
    with pytest.raises(realtime.exceptions.ResourceNotFoundException) as error:
        realtime.get_stage(arn=stage["arn"])
    assert error.value.response["Error"]["Message"]


def test_a_participant_token_holds_the_documented_claims(realtime):
    stage = realtime.create_stage()["stage"]
    made = realtime.create_participant_token(
        stageArn=stage["arn"], userId="bob", attributes={"role": "host"}, duration=60, capabilities=["PUBLISH"])
    token = made["participantToken"]
    header, payload, signature = token["token"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert claims["jti"] == token["participantId"] and claims["resource"] == stage["arn"]
    assert claims["topic"] == stage["arn"].split("/")[-1] and claims["whip_url"] == stage["endpoints"]["whip"]
    assert claims["exp"] - claims["iat"] == 3600 and claims["attributes"] == {"role": "host"}
    assert claims["capabilities"].get("allow_publish") is True
    assert not claims["capabilities"].get("allow_subscribe")
    assert len(base64.urlsafe_b64decode(signature + "==")) == 96


def test_encoder_configurations_have_defaults_and_limits(realtime):
    arn = realtime.create_encoder_configuration()["encoderConfiguration"]["arn"]
    video = realtime.get_encoder_configuration(arn=arn)["encoderConfiguration"]["video"]
    assert video == {"width": 1280, "height": 720, "framerate": 30.0, "bitrate": 2_500_000}
    with pytest.raises(realtime.exceptions.ValidationException) as error:
        realtime.create_encoder_configuration(video={"width": 1920, "height": 1082})
    assert "2073600" in str(error.value).replace(",", "")
    with pytest.raises(realtime.exceptions.ValidationException) as error:
        realtime.create_encoder_configuration(video={"width": 641})
    assert "width" in str(error.value) and "641" in str(error.value)
    realtime.delete_encoder_configuration(arn=arn)


def test_a_storage_configuration_needs_its_bucket(realtime, s3):
    with pytest.raises(realtime.exceptions.ResourceNotFoundException):
        realtime.create_storage_configuration(s3={"bucketName": "there-is-no-such-bucket"})
    arn, bucket = st.make_storage(realtime, s3)
    assert realtime.get_storage_configuration(arn=arn)["storageConfiguration"]["s3"]["bucketName"] == bucket
    realtime.delete_storage_configuration(arn=arn)


def test_channels_and_stream_keys(ivs):
    made = ivs.create_channel(name="show", latencyMode="NORMAL")
    channel, key = made["channel"], made["streamKey"]
    assert channel["type"] == "STANDARD" and channel["authorized"] is False and channel["latencyMode"] == "NORMAL"
    assert re.search(r"/api/video/v1/us-east-1\.123456789012\.channel\.[A-Za-z0-9]+\.m3u8$", channel["playbackUrl"])
    assert key["value"].startswith("sk_us-east-1_")
    assert ivs.get_stream_key(arn=key["arn"])["streamKey"]["value"] == key["value"]
    assert "value" not in ivs.list_stream_keys(channelArn=channel["arn"])["streamKeys"][0]
    with pytest.raises(ivs.exceptions.ChannelNotBroadcasting) as error:
        ivs.get_stream(channelArn=channel["arn"])
    assert code_of(error)[1] == 404
    ivs.delete_channel(arn=channel["arn"])
    with pytest.raises(ivs.exceptions.ResourceNotFoundException):
        ivs.get_channel(arn=channel["arn"])


def test_tags_go_to_the_service_of_the_arn(realtime, ivs):
    for client, arn in [
        (realtime, realtime.create_stage()["stage"]["arn"]),
        (ivs, ivs.create_channel()["channel"]["arn"]),
    ]:
        client.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})
        client.untag_resource(resourceArn=arn, tagKeys=["a"])
        assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}


def test_lists_page_and_refuse_tampered_tokens(realtime):
    made = {realtime.create_stage(name="paged")["stage"]["arn"] for _ in range(5)}
    found, token = set(), None
    while True:
        page = realtime.list_stages(maxResults=2, **({"nextToken": token} if token else {}))
        assert len(page["stages"]) <= 2
        found |= {stage["arn"] for stage in page["stages"]}
        token = page.get("nextToken")
        if not token:
            break
        last = token
    assert made <= found
    with pytest.raises(realtime.exceptions.ValidationException):
        realtime.list_stages(nextToken=("A" if last[0] != "A" else "B") + last[1:])


def test_start_composition_is_idempotent_and_guards_the_channel(realtime, ivs):
    stage = st.make_stage(realtime)
    channel = ivs.create_channel()["channel"]["arn"]
    encoder = st.make_encoder(realtime)
    request = dict(stageArn=stage, destinations=[st.to_channel(channel, encoder)], idempotencyToken="once")
    first = realtime.start_composition(**request)["composition"]
    again = realtime.start_composition(**request)["composition"]
    assert first["arn"] == again["arn"]
    assert first["layout"]["grid"]["gridGap"] == 2 and first["layout"]["grid"]["videoFillMode"] == ""
    with pytest.raises(realtime.exceptions.ConflictException):
        realtime.start_composition(**{**request, "layout": {"grid": {"gridGap": 8}}})
    with pytest.raises(realtime.exceptions.ConflictException):
        realtime.start_composition(stageArn=stage, destinations=request["destinations"])
    with pytest.raises(realtime.exceptions.ConflictException):
        realtime.delete_encoder_configuration(arn=encoder)
    assert first["arn"] in [c["arn"] for c in realtime.list_compositions(filterByStageArn=stage)["compositions"]]
    st.wait_all_active(realtime, first["arn"])
    st.stop(realtime, first["arn"])
    realtime.stop_composition(arn=first["arn"])
    realtime.delete_encoder_configuration(arn=encoder)


def test_deleting_the_stage_fails_its_composition(realtime, s3):
    stage = st.make_stage(realtime)
    storage, _ = st.make_storage(realtime, s3)
    started = st.start(realtime, stage, st.to_s3(storage, st.make_encoder(realtime, width=320, height=180)))
    st.wait_all_active(realtime, started["arn"])
    realtime.delete_stage(arn=stage)
    assert st.wait_for_state(realtime, started["arn"], "FAILED", "STOPPED") == "FAILED"
    assert [d["state"] for d in st.composition(realtime, started["arn"])["destinations"]] == ["STOPPED"]


def test_headers_are_those_of_the_service(server):
    answer = requests.post(f"{server.http}/ListStages", data="{}", timeout=5)
    assert answer.status_code == 403
    assert answer.headers["x-amzn-ErrorType"]
    assert answer.headers["x-amzn-RequestId"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.json()["message"] == answer.json()["exceptionMessage"]
