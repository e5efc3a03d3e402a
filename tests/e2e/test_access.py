"""Who may do what: each credential at each door. `TABLE` says who is let in; everybody else is refused."""

import concurrent.futures
import json
import re
import subprocess

import pytest
import requests
from aiortc import RTCPeerConnection
from botocore.credentials import Credentials

from support import stage as st
from support.broadcast import broadcast
from support.credentials import LIMIT_S, Shown
from support.playback_token import PlaybackKey
from support.server import Server, wait_for

LIVE_LIMIT_S = 30
METRICS_TOKEN = "metrics-token-of-this-test"
LISTING, OTHERS = (Credentials(name, f"secret-of-{name}") for name in ("LISTING", "OTHERS"))
CONFIG = f"""
metrics_token = "{METRICS_TOKEN}"
[[credentials]]
access_key_id = "LISTING"
secret_access_key = "{LISTING.secret_key}"
allow = [{{ actions = ["ivs:ListStages"], resources = ["*"] }}]
[[credentials]]
access_key_id = "OTHERS"
secret_access_key = "{OTHERS.secret_key}"
account = "111122223333"
"""

WHO = [
    "nobody", "API key", "key that may only list", "key of another account", "wrong secret", "publisher's token",
    "subscriber's token", "token of another stage", "disconnected token", "stream key", "playback token",
    "page token", "metrics token",
]
STAGE_TOKENS = {"publisher's token", "subscriber's token"}
TABLE = {
    "get a stage": {"API key"},
    "list stages": {"API key", "key that may only list", "key of another account"},
    "follow events": {"API key", "key of another account"},
    "publish on a stage": {"publisher's token", "token of another stage"},
    "subscribe to Ada": STAGE_TOKENS,
    "end a participant's connection": {"publisher's token"},
    "broadcast": {"stream key"},
    "play a private channel": {"playback token"},
    "the page's session API": {"page token"},
    "metrics": {"metrics token"},
    "write an object": {"API key", "key of another account"},
    "list objects": {"API key", "key of another account"},
}


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    with Server(binary, tmp_path_factory.mktemp("server"), config=CONFIG) as server:
        yield server


@pytest.fixture(scope="module")
def world(server, realtime, ivs, s3):
    return World(server, realtime, ivs, s3)


@pytest.fixture(scope="module")
def private(world):
    """A private channel on air."""
    with broadcast(world.server, world.private_key, size="160x120", rate=10):
        url = f"{world.private['playbackUrl']}?token={world.credentials['playback token'].text}"
        wait_for("the private channel", lambda: requests.get(url, timeout=LIMIT_S).status_code == 200, LIVE_LIMIT_S)
        yield world.private["playbackUrl"]


@pytest.fixture(scope="module")
def ada(world):
    """A participant who publishes."""
    publisher = world.server.publish(world.ada["token"], "--size", "160x120")
    yield world.ada["participantId"]
    publisher.stop()


class World:
    """A stage, channels, a bucket, and everything that opens something."""

    def __init__(self, server, realtime, ivs, s3):
        self.server = server
        self.stage, elsewhere = st.make_stage(realtime), st.make_stage(realtime)
        self.ada = st.token(realtime, self.stage, "ada")
        gone = st.token(realtime, self.stage, "gone")
        realtime.disconnect_participant(stageArn=self.stage, participantId=gone["participantId"])
        signer = PlaybackKey()
        ivs.import_playback_key_pair(publicKeyMaterial=signer.public_pem)
        made = ivs.create_channel(authorized=True)
        self.private, self.private_key = made["channel"], made["streamKey"]["value"]
        _, self.bucket = st.make_storage(realtime, s3)
        page = requests.get(server.page, timeout=LIMIT_S).text
        self.credentials = {
            "nobody": Shown(),
            "API key": Shown(Credentials("PROSCENIUMDEV", "proscenium-development-secret")),
            "key that may only list": Shown(LISTING),
            "key of another account": Shown(OTHERS),
            "wrong secret": Shown(Credentials("PROSCENIUMDEV", "proscenium-development-guess")),
            "publisher's token": Shown(text=st.token(realtime, self.stage, "cyd")["token"]),
            "subscriber's token": Shown(text=st.token(realtime, self.stage, "bob", capabilities=["SUBSCRIBE"])["token"]),
            "token of another stage": Shown(text=st.token(realtime, elsewhere, "eve")["token"]),
            "disconnected token": Shown(text=gone["token"]),
            "stream key": Shown(text=ivs.create_channel()["streamKey"]["value"]),
            "playback token": Shown(text=signer.token(self.private["arn"])),
            "page token": Shown(text=re.search(r'name="session-token" content="([^"]+)"', page).group(1)),
            "metrics token": Shown(text=METRICS_TOKEN),
        }
        assert list(self.credentials) == WHO

    def operation(self, who, name, **members):
        headers = {"Content-Type": "application/json"}
        return who.send("POST", f"{self.server.http}/{name}", json.dumps(members), headers)

    def offer(self, who, path, sdp):
        return who.send("POST", self.server.whip + path, sdp, {"Content-Type": "application/sdp"})


@pytest.fixture(scope="module")
def offers():
    """What a browser would offer to send, and to receive."""
    import asyncio

    async def offer(direction):
        connection = RTCPeerConnection()
        for kind in ("audio", "video"):
            connection.addTransceiver(kind, direction=direction)
        await connection.setLocalDescription(await connection.createOffer())
        sdp = connection.localDescription.sdp
        await connection.close()
        return sdp

    return asyncio.run(offer("sendonly")), asyncio.run(offer("recvonly"))


def each_at(door):
    """The test of a row: for everybody, whether they are let in."""
    return pytest.mark.parametrize("who,let_in", [(who, who in TABLE[door]) for who in WHO], ids=WHO)


def judge(answer, let_in, refusal=(401, 403)):
    assert (answer.status_code < 300) == let_in, (answer.status_code, answer.text)
    if not let_in:
        assert answer.status_code in refusal, (answer.status_code, answer.text)
    answer.close()


@each_at("get a stage")
def test_get_a_stage(world, who, let_in):
    # What is another account's is not there.
    judge(world.operation(world.credentials[who], "GetStage", arn=world.stage), let_in, (403, 404))


@each_at("list stages")
def test_list_stages(world, who, let_in):
    answer = world.operation(world.credentials[who], "ListStages")
    if let_in:
        found = world.stage in [stage["arn"] for stage in answer.json()["stages"]]
        assert found == (who != "key of another account")
    judge(answer, let_in)


@each_at("follow events")
def test_follow_events(world, who, let_in):
    judge(world.credentials[who].send("GET", world.server.http + "/events"), let_in)


@each_at("publish on a stage")
def test_publish_on_a_stage(world, offers, who, let_in):
    shown = world.credentials[who]
    answer = world.offer(shown, "", offers[0])
    judge(answer, let_in)
    if let_in:
        ended = shown.send("DELETE", world.server.http + answer.headers["Location"])
        assert ended.status_code == 200


@each_at("subscribe to Ada")
def test_subscribe_to_a_participant(world, ada, offers, who, let_in):
    shown = world.credentials[who]
    answer = world.offer(shown, f"/subscribe/{ada}", offers[1])
    judge(answer, let_in, (401, 403, 404))
    if let_in:
        ended = shown.send("DELETE", world.server.http + answer.headers["Location"])
        assert ended.status_code == 200


@each_at("end a participant's connection")
def test_end_the_connection_of_a_participant(world, ada, offers, who, let_in):
    mine = world.credentials["publisher's token"]
    made = world.offer(mine, f"/subscribe/{ada}", offers[1])
    connection = world.server.http + made.headers["Location"]
    judge(world.credentials[who].send("DELETE", connection), let_in, (401, 403, 404))
    if not let_in:
        assert mine.send("DELETE", connection).status_code == 200


def test_broadcast(world):
    def broadcasts(who):
        shown = world.credentials[who]
        key = shown.text or (shown.key.secret_key if shown.key else "")
        done = subprocess.run([
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10", "-t", "1", "-c:v", "libx264",
            "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-f", "flv", f"{world.server.rtmp}/{key}",
        ], capture_output=True, timeout=60)
        return done.returncode == 0

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        came_in = {who for who, came in zip(WHO, pool.map(broadcasts, WHO)) if came}
    assert came_in == TABLE["broadcast"]


@each_at("play a private channel")
def test_play_a_private_channel(world, private, who, let_in):
    shown = world.credentials[who]
    judge(requests.get(private, params={"token": shown.text} if shown.text else {}, timeout=LIMIT_S), let_in)
    if not let_in:
        judge(shown.send("GET", private), False)


@each_at("the page's session API")
def test_the_session_api_of_the_page(world, who, let_in):
    shown = world.credentials[who]
    url = world.server.http + "/session/stages"
    judge(requests.get(url, headers={"X-Session-Token": shown.text or ""}, timeout=LIMIT_S), let_in)
    judge(shown.send("GET", url), False)


@each_at("metrics")
def test_metrics(world, who, let_in):
    judge(world.credentials[who].send("GET", world.server.http + "/metrics"), let_in)


@each_at("write an object")
def test_write_an_object(world, who, let_in):
    url = f"{world.server.s3}/{world.bucket}/object.txt"
    judge(world.credentials[who].send("PUT", url, b"text", service="s3"), let_in, (400, 401, 403))


@each_at("list objects")
def test_list_objects(world, who, let_in):
    url = f"{world.server.s3}/{world.bucket}"
    judge(world.credentials[who].send("GET", url, service="s3"), let_in, (400, 401, 403))


def test_a_token_is_worth_nothing_after_its_participant_was_disconnected(world, realtime, ada, offers):
    """Not the connection that it made, not another one, not what others send; a new token of the same user is."""
    token = st.token(realtime, world.stage, "dan")
    dan = Shown(text=token["token"])
    made = world.offer(dan, f"/subscribe/{ada}", offers[1])
    assert made.status_code == 201, made.text
    connection = world.server.http + made.headers["Location"]
    realtime.disconnect_participant(stageArn=world.stage, participantId=token["participantId"])
    fragment = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
    replays = [
        dan.send("PATCH", connection, "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n", fragment),
        dan.send("DELETE", connection), world.offer(dan, "", offers[0]), world.offer(dan, f"/subscribe/{ada}", offers[1]),
    ]
    for replay in replays:
        judge(replay, False, (401, 403, 404))
    again = Shown(text=st.token(realtime, world.stage, "dan")["token"])
    made = world.offer(again, f"/subscribe/{ada}", offers[1])
    assert made.status_code == 201, made.text
    again.send("DELETE", world.server.http + made.headers["Location"])


def test_the_table_names_only_who_is_there():
    assert set().union(*TABLE.values()) <= set(WHO)
