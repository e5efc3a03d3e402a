"""The main job: publishers on a stage, one composition, a live channel and a recording in S3."""

import os
import signal

import numpy as np
import pytest
import requests

from support import recording as rec
from support import stage as st
from support.server import Server, wait_for

# Beep against flash of the same publisher, in the recording (DESIGN.md 7); half a frame of it, 17 ms, is the frame grid.
SYNC_LIMIT_S = 0.040

PEOPLE = [
    # name, colour, tone, options
    ("ada", "c03030", 500, ["--codec", "h264"]),
    ("bob", "30a030", 700, ["--codec", "vp8"]),
    ("cyd", "3050c0", 900, ["--codec", "vp8", "--simulcast"]),
    ("dan", "b0a020", 1100, ["--codec", "h264", "--simulcast"]),
]


def publish_everybody(server, realtime, stage, people=PEOPLE, size="640x360"):
    publishers = []
    for name, color, tone, options in people:
        attributes = {"featured": "true"} if name == "ada" else {}
        token = st.token(realtime, stage, name, attributes)
        publishers.append(server.publish(
            token["token"], "--name", name, "--color", color, "--tone", str(tone),
            "--size", size, "--bitrate", "800000", *options,
        ))
    return publishers


# Where each person is in the featured layout, as fractions of the canvas: background beside the flash in the middle.
FEATURED_SPOTS = {"ada": (0.3, 0.4), "bob": (0.245, 0.9), "cyd": (0.445, 0.9), "dan": (0.645, 0.9)}
# The middle of each slot, where the flash is.
FEATURED_MIDDLES = {"ada": (0.5, 0.4), "bob": (0.298, 0.9), "cyd": (0.5, 0.9), "dan": (0.702, 0.9)}


@pytest.fixture(scope="module", autouse=True)
def idle(binary, make_client, tmp_path_factory):
    """A composition of a stage on which nobody ever publishes. It ends while the other tests run, on a server of its own."""
    with Server(binary, tmp_path_factory.mktemp("idle")) as server:
        realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
        encoder = st.make_encoder(realtime, width=320, height=180, bitrate=200_000)
        storage, bucket = st.make_storage(realtime, s3)
        started = st.start(realtime, st.make_stage(realtime), st.to_s3(storage, encoder))
        st.wait_all_active(realtime, started["arn"])
        yield realtime, s3, bucket, started


@pytest.fixture(scope="module")
def job(server, realtime, ivs, s3, tmp_path_factory):
    """Runs the whole job once; the tests below look at what it left."""
    stage = st.make_stage(realtime)
    encoder = st.make_encoder(realtime)
    storage, bucket = st.make_storage(realtime, s3)
    channel = ivs.create_channel(name="main-job")["channel"]
    publishers = publish_everybody(server, realtime, stage)
    seen = {"channel": channel}
    try:
        started = st.start(
            realtime, stage, st.to_channel(channel["arn"], encoder),
            st.to_s3(storage, encoder, thumbnailConfigurations=[
                {"targetIntervalSeconds": 3, "storage": ["SEQUENTIAL", "LATEST"]}]),
            grid={"featuredParticipantAttribute": "featured"},
        )
        seen["started"] = started
        seen["active"] = st.wait_all_active(realtime, started["arn"])
        seen["master"] = wait_for(
            "live playlist", lambda: fetched(channel["playbackUrl"]), 20)
        variant_url = next(l for l in seen["master"].text.splitlines() if l and l[0] != "#")
        seen["variant_url"] = requests.compat.urljoin(channel["playbackUrl"], variant_url)
        seen["live"] = wait_for("five live segments", lambda: live_segments(seen["variant_url"], 5), 30)
        seen["stream"] = ivs.get_stream(channelArn=channel["arn"])["stream"]
        seen["ended"] = st.stop(realtime, started["arn"])
    finally:
        for publisher in publishers:
            publisher.stop()
    prefix = st.prefix_of(started)
    seen["document"] = rec.wait_until_ended(s3, bucket, prefix)
    seen["keys"] = rec.list_keys(s3, bucket, prefix)
    seen["recording"] = rec.download(s3, bucket, prefix, tmp_path_factory.mktemp("recording"))
    seen["bucket"], seen["prefix"] = bucket, prefix
    return seen


def fetched(url):
    answer = requests.get(url, timeout=5)
    return answer if answer.status_code == 200 else None


def live_segments(url, count):
    text = fetched(url)
    return text if text and text.text.count("#EXTINF") >= count else None


def test_composition_and_destinations_were_active_and_then_stopped(job):
    assert job["started"]["state"] == "STARTING"
    assert [d["state"] for d in job["active"]["destinations"]] == ["ACTIVE", "ACTIVE"]
    assert job["active"]["state"] == "ACTIVE"
    assert [d["state"] for d in job["ended"]["destinations"]] == ["STOPPED", "STOPPED"]
    assert job["ended"]["endTime"] >= job["ended"]["startTime"]


def test_recording_is_whole(job):
    frames = job["recording"].assert_whole()
    assert frames >= 8 * 30
    streams = {s["codec_type"]: s for s in job["recording"].streams()}
    assert (streams["video"]["width"], streams["video"]["height"]) == (1280, 720)
    assert streams["video"]["codec_name"] == "h264" and streams["video"]["r_frame_rate"] == "30/1"
    assert streams["audio"]["codec_name"] == "aac" and streams["audio"]["sample_rate"] == "48000"
    assert job["recording"].decode_errors() == ""


def test_s3_layout_and_documents_are_those_of_ivs(job):
    prefix = job["prefix"]
    stage_id = job["started"]["stageArn"].rsplit("/")[-1]
    composition_id = job["started"]["arn"].rsplit("/")[-1]
    destination_id = next(d["id"] for d in job["started"]["destinations"] if "detail" in d)
    assert prefix == f"{stage_id}/{composition_id}/{destination_id}/composite"
    names = {key.removeprefix(prefix + "/") for key in job["keys"]}
    assert {"events/recording-started.json", "events/recording-ended.json",
            "media/hls/multivariant.m3u8", "media/latest_thumbnail/1280x720/thumb.jpg",
            "media/thumbnails/1280x720/0.jpg", "media/thumbnails/1280x720/1.jpg"} <= names
    assert "events/recording-failed.json" not in names
    document = job["document"]
    assert document["recording_status"] == "RECORDING_ENDED" and document["version"] == "v1"
    hls = document["media"]["hls"]
    assert hls["path"] == "media/hls" and hls["playlist"] == "multivariant.m3u8"
    assert abs(hls["duration_ms"] / 1000 - sum(job["recording"].durations)) < 0.1
    rendition = hls["renditions"][0]
    assert rendition["path"].startswith("720p30-")
    assert f"media/hls/{rendition['path']}/0.ts" in names


def test_every_participant_is_in_its_slot_and_the_featured_one_is_large(job):
    frames = job["recording"].frames()
    frame = frames[-45]
    for name, color, _, _ in PEOPLE:
        found = rec.mean_color(frame, *FEATURED_SPOTS[name])
        assert rec.near(found, rec.rgb(color)), f"{name} at {FEATURED_SPOTS[name]}: {found}, not {rec.rgb(color)}"
    # The featured picture keeps its shape: black beside it.
    assert rec.near(rec.mean_color(frame, 0.05, 0.4), (0, 0, 0), 12)


def test_flash_and_beep_of_each_participant_are_in_sync(job):
    frames, sound = job["recording"].frames(), job["recording"].sound()
    report = {}
    for name, _, tone, _ in PEOPLE:
        flashes = rec.flashes(frames, *FEATURED_MIDDLES[name])
        offsets = rec.pair_offsets(flashes, rec.beeps(sound, tone))
        assert len(offsets) >= 5, f"{name}: {len(flashes)} flashes, {len(offsets)} with a beep"
        report[name] = [round(1000 * value) for value in offsets]
        assert np.abs(offsets).max() <= SYNC_LIMIT_S, f"{name}: {report[name]} ms"
    print("beep minus flash, ms:", report)


def test_live_channel_is_a_window_of_two_second_segments_and_ends(job, ivs):
    master = job["master"].text
    assert "#EXT-X-STREAM-INF" in master and "RESOLUTION=1280x720" in master and "CODECS=" in master
    assert "#EXT-X-PLAYLIST-TYPE" not in job["live"].text
    durations = [float(l[8:].split(",")[0]) for l in job["live"].text.splitlines() if l.startswith("#EXTINF")]
    assert all(abs(duration - 2) < 0.1 for duration in durations), durations
    stream = job["stream"]
    assert stream["state"] == "LIVE" and stream["streamId"].startswith("st-") and len(stream["streamId"]) == 26
    assert stream["health"] in ("HEALTHY", "UNKNOWN")
    wait_for("ENDLIST", lambda: "#EXT-X-ENDLIST" in requests.get(job["variant_url"], timeout=5).text, 10)
    with pytest.raises(ivs.exceptions.ChannelNotBroadcasting):
        ivs.get_stream(channelArn=job["channel"]["arn"])


def test_recording_plays_from_s3_without_credentials(server, job):
    url = f"{server.s3}/{job['bucket']}/{job['prefix']}/media/hls/multivariant.m3u8"
    answer = requests.get(url, headers={"Origin": "http://player.example"}, timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "http://player.example")
    assert answer.headers["Content-Type"].startswith("application/vnd.apple.mpegurl")


def test_killed_worker_leaves_no_trace_in_the_recording(server, realtime, ivs, s3, tmp_path):
    """SIGKILL at three moments: API, gateway and broadcast stay up, no frame is missing or doubled."""
    stage = st.make_stage(realtime)
    encoder = st.make_encoder(realtime, width=640, height=360, bitrate=1_000_000)
    storage, bucket = st.make_storage(realtime, s3)
    channel = ivs.create_channel()["channel"]
    publishers = publish_everybody(server, realtime, stage, PEOPLE[:2])
    try:
        started = st.start(
            realtime, stage, st.to_channel(channel["arn"], encoder), st.to_s3(storage, encoder))
        st.wait_all_active(realtime, started["arn"])
        wait_for("live", lambda: fetched(channel["playbackUrl"]), 20)
        stream_id = ivs.get_stream(channelArn=channel["arn"])["stream"]["streamId"]
        for _ in range(3):
            segments = rec.segment_count(s3, bucket, st.prefix_of(started))
            wait_for("two more segments", lambda: rec.segment_count(s3, bucket, st.prefix_of(started)) >= segments + 2, 20)
            victims = server.worker_pids()
            assert len(victims) == 1
            os.kill(victims[0], signal.SIGKILL)
            wait_for("a successor", lambda: server.worker_pids() not in ([], victims), 10)
            assert st.composition(realtime, started["arn"])["state"] == "ACTIVE"
        segments = rec.segment_count(s3, bucket, st.prefix_of(started))
        wait_for("two more segments", lambda: rec.segment_count(s3, bucket, st.prefix_of(started)) >= segments + 2, 20)
        after = st.composition(realtime, started["arn"])
        assert [d["state"] for d in after["destinations"]] == ["ACTIVE", "ACTIVE"]
        assert ivs.get_stream(channelArn=channel["arn"])["stream"]["streamId"] == stream_id
        st.stop(realtime, started["arn"])
    finally:
        for publisher in publishers:
            publisher.stop()
    prefix = st.prefix_of(started)
    rec.wait_until_ended(s3, bucket, prefix)
    recording = rec.download(s3, bucket, prefix, tmp_path)
    recording.assert_whole()
    assert recording.decode_errors() == ""
    sound = recording.sound()
    for name, _, tone, _ in PEOPLE[:2]:
        beeps = rec.beeps(sound, tone)[:, 0]
        # Until the first sender report, time is only as exact as packets arrive; that report may step, once.
        periods = np.diff(beeps)[1:]
        assert np.abs(periods - 1).max() < 0.02, f"{name}: beeps every {periods} s"


def test_worker_has_no_network_and_no_secrets(server, realtime, s3):
    stage, encoder = st.make_stage(realtime), st.make_encoder(realtime, width=320, height=180)
    storage, _ = st.make_storage(realtime, s3)
    started = st.start(realtime, stage, st.to_s3(storage, encoder))
    st.wait_all_active(realtime, started["arn"])
    (pid,) = server.worker_pids()
    with open(f"/proc/{pid}/environ") as environment:
        names = {variable.split("=")[0] for variable in environment.read().split("\0") if variable}
    assert names == {"GST_REGISTRY"}
    assert os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")
    with open(f"/proc/{pid}/limits") as limits:
        address_space = next(line for line in limits if line.startswith("Max address space"))
    assert "unlimited" not in address_space
    st.stop(realtime, started["arn"])


def test_sigterm_seals_the_recording_and_exits_zero(binary, make_client, tmp_path):
    with Server(binary, tmp_path / "server") as server:
        realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
        stage = st.make_stage(realtime)
        storage, bucket = st.make_storage(realtime, s3)
        encoder = st.make_encoder(realtime, width=320, height=180, bitrate=300_000)
        publisher = publish_everybody(server, realtime, stage, PEOPLE[:1], "320x180")[0]
        started = st.start(realtime, stage, st.to_s3(storage, encoder))
        st.wait_all_active(realtime, started["arn"])
        prefix = st.prefix_of(started)
        wait_for("two segments", lambda: rec.segment_count(s3, bucket, st.prefix_of(started)) >= 2, 20)
        assert server.stop(12) == 0
        publisher.stop()
    data = server.data_dir
    with Server(binary, tmp_path / "server") as server:
        assert server.data_dir == data
        realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
        assert st.composition(realtime, started["arn"])["state"] == "STOPPED"
        document = rec.wait_until_ended(s3, bucket, prefix)
        assert document["recording_status"] == "RECORDING_ENDED"
        rec.download(s3, bucket, prefix, tmp_path / "recording").assert_whole()
        assert realtime.get_stage(arn=stage)["stage"]["arn"] == stage


def test_idle_composition_stops_after_a_minute(idle, tmp_path):
    """Black picture, silence, and the end after 60 s."""
    realtime, s3, bucket, started = idle
    st.wait_for_state(realtime, started["arn"], "STOPPED", limit_s=75)
    ended = st.composition(realtime, started["arn"])
    lived = (ended["endTime"] - ended["startTime"]).total_seconds()
    assert 60 <= lived <= 70, lived
    prefix = st.prefix_of(started)
    rec.wait_until_ended(s3, bucket, prefix)
    recording = rec.download(s3, bucket, prefix, tmp_path)
    assert 59 * 30 <= recording.assert_whole() <= 63 * 30
    frames = recording.frames()
    assert frames[:: len(frames) // 10].max() < 24
    assert np.abs(recording.sound()).max() < 1e-3
