"""Sessions, participants and participant events of a stage, as real WebRTC peers cause them and boto3 reads them."""

import asyncio

import botocore.exceptions
import pytest
import requests
from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack

from support import stage as st
from support.server import Server, wait_for
from support.browser import Browser
from test_aiortc import exchange, publish, received_frames
from test_browser import publish as publish_in_browser


def session_of(realtime, stage):
    return wait_for("an active session",
                    lambda: realtime.get_stage(arn=stage)["stage"].get("activeSessionId"), 10)


def names(realtime, stage, session, participant):
    listed = realtime.list_participant_events(
        stageArn=stage, sessionId=session, participantId=participant)
    return [event["name"] for event in reversed(listed["events"])]


def wait_for_names(realtime, stage, session, participant, expected):
    def there():
        return names(realtime, stage, session, participant) == expected

    try:
        wait_for(f"events {expected}", there, 15)
    except AssertionError:
        assert names(realtime, stage, session, participant) == expected


def offer_of_audio():
    async def made():
        connection = RTCPeerConnection()
        connection.addTransceiver(AudioStreamTrack(), direction="sendonly")
        await connection.setLocalDescription(await connection.createOffer())
        sdp = connection.localDescription.sdp
        await connection.close()
        return sdp

    return asyncio.run(made())


def post(url, token, offer, user_agent="tests/1.0"):
    headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {token}", "User-Agent": user_agent}
    return requests.post(url, data=offer, headers=headers, timeout=10)


def test_a_stage_remembers_who_published_who_watched_and_when(server, realtime):
    stage = st.make_stage(realtime)
    host = st.token(realtime, stage, "host", attributes={"role": "host"})
    viewer = st.token(realtime, stage, "viewer", capabilities=["SUBSCRIBE"])

    async def scenario():
        connection = await publish(server.whip, host["token"], "video/VP8")
        url = f"{server.whip}/subscribe/{host['participantId']}"
        await received_frames(url, viewer["token"], 10)
        session = await asyncio.to_thread(session_of, realtime, stage)
        found = await asyncio.to_thread(
            realtime.get_participant, stageArn=stage, sessionId=session, participantId=host["participantId"])
        await connection.close()
        return session, found["participant"]

    session, participant = asyncio.run(scenario())
    assert participant["state"] == "CONNECTED" and participant["published"]
    assert participant["userId"] == "host" and participant["attributes"] == {"role": "host"}
    assert participant["protocol"] == "WHIP" and participant["browserName"] == "python-requests"
    wait_for_names(realtime, stage, session, host["participantId"],
                   ["JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT"])
    wait_for_names(realtime, stage, session, viewer["participantId"],
                   ["JOINED", "SUBSCRIBE_STARTED", "SUBSCRIBE_STOPPED", "LEFT"])
    listed = realtime.list_participant_events(
        stageArn=stage, sessionId=session, participantId=viewer["participantId"])["events"]
    assert listed[2]["remoteParticipantId"] == host["participantId"]
    times = [event["eventTime"] for event in reversed(listed)]
    assert times == sorted(times)
    published = realtime.list_participants(stageArn=stage, sessionId=session, filterByPublished=True)
    assert [p["participantId"] for p in published["participants"]] == [host["participantId"]]
    connected = realtime.list_participants(stageArn=stage, sessionId=session, filterByState="CONNECTED")
    assert connected["participants"] == []
    sessions = realtime.list_stage_sessions(stageArn=stage)["stageSessions"]
    assert [s["sessionId"] for s in sessions] == [session] and "endTime" not in sessions[0]


def test_a_browser_is_known_by_its_name_and_may_return(server, realtime):
    stage = st.make_stage(realtime)
    with Browser() as browser:
        page = browser.page()
        host = publish_in_browser(page, server, realtime, stage, "host", "#c03030", 500, {"codec": "VP8", "simulcast": True})
        session = session_of(realtime, stage)
        page.close()
        once = ["JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT"]
        wait_for_names(realtime, stage, session, host["participantId"], once)
        again = browser.page()
        again.evaluate("options => publish(options)", {
            "name": "again", "whip": server.whip, "token": host["token"], "color": "#c03030", "hz": 500,
            "width": 640, "height": 360, "maxBitrate": 700_000, "codec": "VP8"})
        wait_for_names(realtime, stage, session, host["participantId"], once + once[:2])
        found = realtime.get_participant(
            stageArn=stage, sessionId=session, participantId=host["participantId"])["participant"]
    assert "Chrome" in found["browserName"] and found["osName"] == "Linux", found
    assert found["browserVersion"].split(".")[0].isdigit() and found["state"] == "CONNECTED"
    events = realtime.list_participant_events(
        stageArn=stage, sessionId=session, participantId=host["participantId"], maxResults=1)
    assert found["firstJoinTime"] < events["events"][0]["eventTime"] and events["nextToken"]


def test_refused_offers_are_errors_of_their_participant(server, realtime):
    stage = st.make_stage(realtime)
    viewer = st.token(realtime, stage, "viewer", capabilities=["SUBSCRIBE"])
    host = st.token(realtime, stage, "host")
    offer = offer_of_audio()
    chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
    assert post(server.whip, viewer["token"], offer, chrome).status_code == 403
    assert post(server.whip, host["token"], offer.replace("opus", "nope")).status_code == 422
    assert post(server.whip, host["token"], "v=0").status_code == 400
    assert post(f"{server.whip}/subscribe/nobody", viewer["token"], offer.replace("sendonly", "recvonly")).status_code == 404
    # A token that was tampered with names nobody.
    assert post(server.whip, host["token"][:-8] + "AAAAAAAA", offer).status_code == 401
    session = session_of(realtime, stage)

    def errors(participant):
        listed = realtime.list_participant_events(
            stageArn=stage, sessionId=session, participantId=participant)["events"]
        return [(e["name"], e["errorCode"], e.get("remoteParticipantId")) for e in reversed(listed)]

    wait_for("all errors", lambda: len(errors(viewer["participantId"])) == 2, 10)
    assert errors(viewer["participantId"]) == [
        ("PUBLISH_ERROR", "INSUFFICIENT_CAPABILITIES", None), ("SUBSCRIBE_ERROR", "PUBLISHER_NOT_FOUND", "nobody")]
    assert errors(host["participantId"]) == [
        ("PUBLISH_ERROR", "INVALID_AUDIO_CODEC", None), ("PUBLISH_ERROR", "INVALID_INPUT", None)]
    found = realtime.get_participant(stageArn=stage, sessionId=session, participantId=viewer["participantId"])
    assert found["participant"]["state"] == "DISCONNECTED" and not found["participant"]["published"]
    with pytest.raises(botocore.exceptions.ClientError, match="2 filters given"):
        realtime.list_participants(stageArn=stage, sessionId=session, filterByUserId="x", filterByPublished=True)


@pytest.mark.parametrize("killed", [False, True])
def test_a_session_ends_with_the_server_however_it_ends(binary, make_client, tmp_path, killed):
    async def scenario(server, realtime, stage, host):
        connection = RTCPeerConnection()
        connection.addTransceiver(AudioStreamTrack(), direction="sendonly")
        await exchange(connection, server.whip, host["token"])
        session = await asyncio.to_thread(session_of, realtime, stage)
        await asyncio.to_thread(
            wait_for_names, realtime, stage, session, host["participantId"], ["JOINED", "PUBLISH_STARTED"])
        if killed:
            server.child.kill()
            server.child.wait()
        else:
            await asyncio.to_thread(server.stop)
        await connection.close()
        return session

    with Server(binary, tmp_path) as server:
        realtime = make_client("ivs-realtime", server.http)
        stage = st.make_stage(realtime)
        host = st.token(realtime, stage, "host")
        session = asyncio.run(scenario(server, realtime, stage, host))
    with Server(binary, tmp_path) as server:
        realtime = make_client("ivs-realtime", server.http)
        found = realtime.get_stage_session(stageArn=stage, sessionId=session)["stageSession"]
        assert found["startTime"] <= found["endTime"]
        assert "activeSessionId" not in realtime.get_stage(arn=stage)["stage"]
        assert names(realtime, stage, session, host["participantId"]) == [
            "JOINED", "PUBLISH_STARTED", "PUBLISH_STOPPED", "LEFT"]
        participant = realtime.get_participant(
            stageArn=stage, sessionId=session, participantId=host["participantId"])["participant"]
        assert participant["state"] == "DISCONNECTED" and participant["published"]
