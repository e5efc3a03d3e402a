"""RTMP servers that close, reset, hang, refuse and disappear: broadcasts come back, recordings hear nothing of it.

`--outage 400` or more: a server is away for 400 s, longer than retries last.
"""

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support import recording as rec
from support import stage as st
from support.events import read_events
from support.nginx import Nginx
from support.server import Server, wait_for
from support.tcp_proxy import TcpProxy

AREA = "RTMP"
FPS = 15
VIDEO = {"width": 320, "height": 180, "framerate": float(FPS), "bitrate": 300_000}
# A frame is as long as so many AAC frames, rounded up.
FRAME_SOUNDS = 4
# Three seconds, and one for a machine that does much else meanwhile.
RECONNECTING_LIMIT_S = 3 + 1
# Waits of 1, 2, 4 s, and what nginx takes to notice that a connection is gone.
BACK_LIMIT_S = 20
# After half a minute the next attempt may be half a minute away.
LATE_BACK_LIMIT_S = 65
BRIEF_ABSENCE_S, ABSENCE_S, LONG_ABSENCE_S = 1, 30, 400
BUDGET_S = 300
SERVERS = ("our ingest", "nginx-rtmp")


class Broadcast:
    """A composition that is broadcast through a proxy and recorded."""

    def __init__(self, realtime, s3, stage, channel, proxy):
        self.realtime, self.s3, self.proxy = realtime, s3, proxy
        encoder = st.make_encoder(realtime, **VIDEO)
        storage, self.bucket = st.make_storage(realtime, s3)
        started = st.start(realtime, stage, st.to_channel(channel, encoder), st.to_s3(storage, encoder))
        self.arn, self.prefix = started["arn"], st.prefix_of(started)
        self.took_s = {}

    def state(self):
        destinations = st.composition(self.realtime, self.arn)["destinations"]
        assert next(d["state"] for d in destinations if "detail" in d) == "ACTIVE", "the recording"
        return next(d["state"] for d in destinations if "detail" not in d)

    def reaches(self, state, limit_s):
        wait_for(f"broadcast {state}", lambda: self.state() == state, limit_s, 0.02)

    def suffers(self, name, fault, heal=lambda: None, back_limit_s=BACK_LIMIT_S):
        """Injects a fault, waits until the broadcast is RECONNECTING, heals it and waits until it is ACTIVE."""
        begun = time.monotonic()
        fault()
        self.reaches("RECONNECTING", RECONNECTING_LIMIT_S + 2)
        self.took_s[name] = time.monotonic() - begun
        heal()
        self.reaches("ACTIVE", back_limit_s)

    def is_away(self, name, seconds, back_limit_s=BACK_LIMIT_S):
        def come_back():
            wait_for("the end of the absence", lambda: time.monotonic() >= until, seconds + 5, 0.05)
            self.proxy.appear()

        until = time.monotonic() + seconds
        self.suffers(name, self.proxy.vanish, come_back, back_limit_s)

    def goes_through_everything(self):
        proxy = self.proxy
        self.suffers("closes", proxy.close_connections)
        self.suffers("resets", proxy.reset)
        self.suffers("takes nothing while the socket stays open", proxy.hang, proxy.release)
        self.suffers("acknowledges nothing while the socket stays open", proxy.mute, proxy.release)
        self.is_away("disappears for 1 s", BRIEF_ABSENCE_S)

    def assert_recorded(self, folder):
        """Every frame number is there once, and decodes."""
        rec.wait_until_ended(self.s3, self.bucket, self.prefix)
        recording = rec.download(self.s3, self.bucket, self.prefix, folder / self.bucket)
        frames = recording.assert_whole(FPS, tail_sounds=FRAME_SOUNDS)
        assert recording.decode_errors() == "" and recording.decoded_frames() == frames
        return frames / FPS


@pytest.fixture(scope="module")
def run(binary, make_client, tmp_path_factory, request):
    """Does everything once, and says what was seen."""
    folder = tmp_path_factory.mktemp("rtmp-faults")
    long = request.config.getoption("--outage") >= LONG_ABSENCE_S
    names = [f"{server}, {which}" for server in SERVERS for which in ("shaken", "away")]
    proxies = {name: TcpProxy() for name in names}
    with Server(binary, folder / "server") as server:
        ivs = make_client("ivs", server.http)
        created = {name: ivs.create_channel() for name in names}
    nginx = Nginx(folder / "nginx")
    channels = {name: made["channel"]["arn"] for name, made in created.items()}
    keys = {name: made["streamKey"]["value"] if name.startswith("our") else name.rpartition(" ")[2] for name, made in created.items()}
    external = "".join(
        f'[[external_channels]]\narn = "{channels[name]}"\nurl = "rtmp://127.0.0.1:{proxies[name].port}/app/{keys[name]}"\n'
        for name in names)
    with Server(binary, folder / "server", external) as server:
        realtime, ivs, s3 = (make_client(name, url) for name, url in (
            ("ivs-realtime", server.http), ("ivs", server.http), ("s3", server.s3)))
        for name, proxy in proxies.items():
            proxy.behind = int(server.rtmp.split("/")[2].rpartition(":")[2]) if name.startswith("our") else nginx.port
        stage = st.make_stage(realtime)
        publisher = server.publish(st.token(realtime, stage, "ada")["token"], "--size", "320x180", "--bitrate", "200000")
        try:
            broadcasts = {name: Broadcast(realtime, s3, stage, channels[name], proxies[name]) for name in names}
            for broadcast in broadcasts.values():
                st.wait_all_active(realtime, broadcast.arn, 30)
            seen = {"server": server, "nginx": nginx, "long": long, "broadcasts": broadcasts, "realtime": realtime}
            go_through_everything(seen, ivs, channels, created)
            yield seen
        finally:
            publisher.stop()
    nginx.close()
    for proxy in proxies.values():
        proxy.close()


def go_through_everything(seen, ivs, channels, created):
    shaken, away = ([seen["broadcasts"][f"{server}, {which}"] for server in SERVERS] for which in ("shaken", "away"))
    own = channels["our ingest, shaken"]
    wait_for("a live stream", lambda: own in [s["channelArn"] for s in ivs.list_streams()["streams"]], 20)
    first = ivs.get_stream(channelArn=own)["stream"]["streamId"]
    absence_s = LONG_ABSENCE_S if seen["long"] else ABSENCE_S
    with ThreadPoolExecutor() as pool:
        if seen["long"]:
            absent = [pool.submit(spend_budget, each) for each in away]
        else:
            absent = [pool.submit(each.is_away, f"disappears for {absence_s} s", absence_s, LATE_BACK_LIMIT_S) for each in away]
        for each in [pool.submit(each.goes_through_everything) for each in shaken]:
            each.result()
        seen["stream ids"] = first, ivs.get_stream(channelArn=own)["stream"]["streamId"]
        refused(seen, ivs, created, *shaken)
        for each in absent:
            each.result()
    for each in seen["broadcasts"].values():
        st.stop(seen["realtime"], each.arn)


def spend_budget(broadcast):
    begun = time.monotonic()
    broadcast.proxy.vanish()
    broadcast.reaches("FAILED", LONG_ABSENCE_S)
    broadcast.took_s["budget"] = time.monotonic() - begun
    broadcast.proxy.appear()


def refused(seen, ivs, created, own, nginx):
    """The key does not open the door any more, from the next connection on."""
    ivs.delete_stream_key(arn=created["our ingest, shaken"]["streamKey"]["arn"])
    own.proxy.reset()
    own.reaches("FAILED", BACK_LIMIT_S)
    seen["nginx"].is_refusing = True
    tried = nginx.proxy.accepted

    def accept_later():
        wait_for("two refused attempts", lambda: nginx.proxy.accepted >= tried + 2, BACK_LIMIT_S)
        assert nginx.state() == "RECONNECTING"
        seen["nginx"].is_refusing = False

    nginx.suffers("refuses the key for a while", nginx.proxy.reset, accept_later)


def test_a_broadcast_is_reconnecting_within_three_seconds_and_comes_back(run, faults):
    for name, broadcast in run["broadcasts"].items():
        server = name.partition(",")[0]
        print(name, {fault: round(took_s, 2) for fault, took_s in broadcast.took_s.items()})
        for fault, took_s in broadcast.took_s.items():
            if fault == "budget":
                continue
            assert took_s <= RECONNECTING_LIMIT_S, f"{server} {fault}: {took_s:.1f} s"
            faults.record(AREA, f"{server} {fault}", "RECONNECTING within 3 s, then ACTIVE")
    first, last = run["stream ids"]
    assert first == last, "each attempt takes over, so the stream session goes on"


def test_rtmp_destination_that_wedges_silently_is_reconnecting(run):
    """peers.md 15: TCP open, nothing acknowledged."""
    for server in SERVERS:
        took_s = run["broadcasts"][f"{server}, shaken"].took_s
        for fault in ("takes nothing while the socket stays open", "acknowledges nothing while the socket stays open"):
            assert took_s[fault] <= RECONNECTING_LIMIT_S


def test_a_broadcast_comes_back_on_a_keyframe(run):
    nginx = run["nginx"]
    published = nginx.published("shaken")
    # The first one, five faults, a key that was refused.
    assert len(published) >= 7, published
    for path in published:
        probe = subprocess.run(
            ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "packet=flags", "-of", "csv=p=0",
             "-read_intervals", "%+#1", path], check=True, capture_output=True, text=True)
        assert probe.stdout.startswith("K"), f"{path}: {probe.stdout}"
    decoded = subprocess.run(["ffmpeg", "-v", "error", "-i", published[-1], "-f", "null", "-"], capture_output=True, text=True)
    assert decoded.stderr == ""


def test_a_refused_key_fails_the_broadcast(run, faults):
    own = run["broadcasts"]["our ingest, shaken"]
    assert sorted(d["state"] for d in st.composition(run["realtime"], own.arn)["destinations"]) == ["FAILED", "STOPPED"]
    assert failure_code(run["server"], own.arn) == "InternalServerException"
    faults.record(AREA, "our ingest refuses the key", "FAILED, InternalServerException")


def failure_code(server, arn):
    def is_failure(envelope):
        return envelope["resources"] == [arn] and envelope["detail"]["event_name"] == "Destination Failure"

    [(_, envelope)] = read_events(server, 1, last=0, wanted=is_failure)
    return envelope["detail"]["error_code"]


def test_recordings_hear_nothing_of_their_broadcasts(run, faults, tmp_path):
    """peers.md 13: sinks must not touch each other."""
    for broadcast in run["broadcasts"].values():
        assert broadcast.assert_recorded(tmp_path) >= 20
    faults.record(AREA, "the recordings beside all of these", "ACTIVE throughout; every frame number is there once and decodes")


def test_a_broadcast_fails_when_its_retries_are_spent(run, faults):
    if not run["long"]:
        pytest.skip("`make faults`")
    for server in SERVERS:
        took_s = run["broadcasts"][f"{server}, away"].took_s["budget"]
        assert BUDGET_S <= took_s <= BUDGET_S + 20
        assert failure_code(run["server"], run["broadcasts"][f"{server}, away"].arn) == "InternalServerException"
        faults.record(AREA, f"{server} disappears for 400 s", "RECONNECTING, after 300 s FAILED, InternalServerException")
