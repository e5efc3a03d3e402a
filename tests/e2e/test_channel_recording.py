"""Channels that are recorded to S3 by their recording configuration, as an application sees it."""

import datetime
import json
import re
import subprocess
import uuid

import numpy as np
import pytest
import requests

from support import recording as rec
from support.events import read_events
from support.server import Server, wait_for

# A window in which the second stream of the tests comes for certain, and that a test can wait for.
WINDOW_S = 12
FPS = 25
KEYFRAME_S = 2


def make_bucket(s3):
    bucket = f"recordings-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    return bucket


def make_configuration(ivs, bucket, **settings):
    made = ivs.create_recording_configuration(
        destinationConfiguration={"s3": {"bucketName": bucket}}, **settings)["recordingConfiguration"]

    def active():
        found = ivs.get_recording_configuration(arn=made["arn"])["recordingConfiguration"]
        return found if found["state"] == "ACTIVE" else None

    return wait_for("ACTIVE", active, 20)


def make_channel(ivs, configuration, name="recorded"):
    return ivs.create_channel(name=name, recordingConfigurationArn=configuration["arn"])


class Broadcast:
    """ffmpeg that publishes a test picture in real time."""

    def __init__(self, server, key, seconds, size="640x360"):
        url = f"{server.rtmp}/{key}" if server.rtmp.endswith("/app") else f"{server.rtmp}/app/{key}"
        self.child = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={FPS}",
             "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", str(seconds),
             "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
             "-b:v", "400k", "-g", str(FPS * KEYFRAME_S), "-keyint_min", str(FPS * KEYFRAME_S),
             "-c:a", "aac", "-ac", "2", "-f", "flv", url],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )

    def wait(self, limit_s):
        _, errors = self.child.communicate(timeout=limit_s)
        assert self.child.returncode == 0, errors

    def kill(self):
        self.child.kill()
        self.child.wait()


def prefixes(s3, bucket):
    """The prefixes of all recordings in a bucket."""
    keys = rec.list_keys(s3, bucket, "ivs/v1/")
    return sorted({re.sub(r"/(events|media)/.*", "", key) for key in keys})


def prefix_when(s3, bucket, count=1, limit_s=30):
    return wait_for("a recording", lambda: (p := prefixes(s3, bucket)) and len(p) >= count and p, limit_s)


def read(s3, bucket, key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def document(s3, bucket, prefix, name, limit_s=30):
    key = f"{prefix}/events/recording-{name}.json"
    wait_for(key, lambda: key in rec.list_keys(s3, bucket, prefix), limit_s)
    return json.loads(read(s3, bucket, key))


def decode(path):
    """How many pictures ffmpeg decodes; it must have nothing to complain about."""
    run = subprocess.run(
        ["ffmpeg", "-v", "warning", "-allowed_extensions", "ALL", "-i", path, "-map", "0:v", "-map", "0:a",
         "-f", "null", "-"], capture_output=True, text=True)
    assert run.stderr.strip() == "", run.stderr
    counted = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", "-select_streams", "v:0", "-show_entries",
         "stream=nb_read_packets", "-of", "csv=p=0", path], check=True, capture_output=True, text=True)
    return int(re.search(r"\d+", counted.stdout).group())


def events_of(server, bucket, count):
    """The first `count` recording events about a bucket."""
    def is_about(envelope):
        return envelope["detail"].get("recording_s3_bucket_name") == bucket
    return [envelope for _, envelope in read_events(server, count, last=0, wanted=is_about)]


@pytest.fixture(scope="module")
def job(server, ivs, s3, tmp_path_factory):
    """Two streams within the window; the tests below look at what they left."""
    bucket = make_bucket(s3)
    configuration = make_configuration(
        ivs, bucket, recordingReconnectWindowSeconds=WINDOW_S,
        thumbnailConfiguration={"recordingMode": "INTERVAL", "targetIntervalSeconds": 4,
                                "resolution": "LOWEST_RESOLUTION", "storage": ["SEQUENTIAL", "LATEST"]})
    made = make_channel(ivs, configuration)
    key = made["streamKey"]["value"]
    seen = {"channel": made["channel"], "bucket": bucket}
    first = Broadcast(server, key, 24)
    try:
        seen["prefix"], = prefix_when(s3, bucket)
        seen["started"] = document(s3, bucket, seen["prefix"], "started")
        playlist = f"{seen['prefix']}/media/hls/360p25/playlist.m3u8"
        keys = lambda: rec.list_keys(s3, bucket, playlist)
        wait_for("a playlist while live", keys, 40)
        seen["while_live"] = read(s3, bucket, playlist).decode()
        first.wait(60)
    finally:
        first.kill()
    ended_at = datetime.datetime.now(datetime.timezone.utc)
    wait_for("not live", lambda: not ivs.list_streams()["streams"], 40)
    second = Broadcast(server, key, 6)
    try:
        second.wait(60)
    finally:
        second.kill()
    seen["second_ended_at"] = datetime.datetime.now(datetime.timezone.utc)
    seen["ended"] = document(s3, bucket, seen["prefix"], "ended", 60)
    seen["first_ended_at"] = ended_at
    seen["keys"] = rec.list_keys(s3, bucket, seen["prefix"])
    folder = tmp_path_factory.mktemp("channel")
    for name in seen["keys"]:
        path = folder / name.removeprefix(seen["prefix"] + "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, name, str(path))
    seen["folder"] = folder
    seen["events"] = events_of(server, bucket, 2)
    return seen


def test_layout_is_that_of_auto_record(job):
    account, channel_id = job["channel"]["arn"].split(":")[4], job["channel"]["arn"].split("/")[-1]
    year, month, day, hour, minute, recording_id = job["prefix"].split("/")[4:]
    assert job["prefix"].startswith(f"ivs/v1/{account}/{channel_id}/")
    began = datetime.datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=datetime.timezone.utc)
    assert abs((began - job["first_ended_at"]).total_seconds()) < 180
    assert all(not part.startswith("0") or part == "0" for part in (month, day, hour, minute))
    assert re.fullmatch("[A-Za-z0-9]{12}", recording_id)
    names = {key.removeprefix(job["prefix"] + "/") for key in job["keys"]}
    thumbnails = {name for name in names if name.startswith("media/thumbnails/")}
    segments = {name for name in names if name.endswith(".ts")}
    assert names - thumbnails - segments == {
        "events/recording-started.json", "events/recording-ended.json", "media/hls/master.m3u8",
        "media/hls/byte-range-multivariant.m3u8", "media/hls/360p25/playlist.m3u8",
        "media/hls/360p25/byte-range-variant.m3u8", "media/latest_thumbnail/thumb.jpg"}
    assert thumbnails == {f"media/thumbnails/thumb{i}.jpg" for i in range(len(thumbnails))}
    assert segments == {f"media/hls/360p25/{i}.ts" for i in range(len(segments))}


def test_documents_are_those_of_auto_record(job):
    started, ended = job["started"], job["ended"]
    assert started["channel_arn"] == job["channel"]["arn"] and started["version"] == "v1"
    assert started["recording_status"] == "RECORDING_STARTED"
    assert ended["recording_status"] == "RECORDING_ENDED"
    hls = ended["media"]["hls"]
    assert abs(hls["duration_ms"] - 30_000) <= 500
    assert (hls["playlist"], hls["byte_range_playlist"]) == ("master.m3u8", "byte-range-multivariant.m3u8")
    assert hls["renditions"] == [{
        "path": "360p25", "playlist": "playlist.m3u8", "byte_range_playlist": "byte-range-variant.m3u8",
        "resolution_height": 360, "resolution_width": 640}]
    size = {"resolution_height": 360, "resolution_width": 640}
    assert ended["media"]["thumbnails"] == {"path": "media/thumbnails", **size}
    assert ended["media"]["latest_thumbnail"] == {"path": "media/latest_thumbnail/thumb.jpg", **size}


def test_the_playlist_is_an_event_while_live_and_a_vod_after(job):
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in job["while_live"] and "ENDLIST" not in job["while_live"]
    assert "#EXT-X-PROGRAM-DATE-TIME:" in job["while_live"] and "#EXTINF:10." in job["while_live"]
    lines = (job["folder"] / "media/hls/360p25/playlist.m3u8").read_text().splitlines()
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in lines and lines[-1] == "#EXT-X-ENDLIST"
    assert sum(line.startswith("#EXT-X-PROGRAM-DATE-TIME:") for line in lines) == sum(
        line.endswith(".ts") for line in lines)
    assert lines.count("#EXT-X-DISCONTINUITY") == 1, "the second stream continues it"


def test_both_playlists_play_whole(job):
    hls = job["folder"] / "media/hls"
    pictures = decode(hls / "master.m3u8")
    assert abs(pictures - 30 * FPS) <= 4
    assert decode(hls / "byte-range-multivariant.m3u8") == pictures
    ranges = (hls / "360p25/byte-range-variant.m3u8").read_text()
    assert ranges.count("#EXT-X-BYTERANGE:") in (15, 16), "one for each keyframe"


def test_thumbnails_show_the_stream(job):
    folder = job["folder"] / "media"
    thumbnails = sorted((folder / "thumbnails").iterdir())
    assert 6 <= len(thumbnails) <= 9
    for path in [*thumbnails, folder / "latest_thumbnail/thumb.jpg"]:
        raw = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", path, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"],
            check=True, capture_output=True).stdout
        picture = np.frombuffer(raw, np.uint8).reshape(360, 640, 3)
        # testsrc2 has all the colours.
        assert len(np.unique(picture[::20, ::20].reshape(-1, 3) // 16, axis=0)) > 30


def test_recording_ended_after_the_window(job):
    ended = datetime.datetime.fromisoformat(job["ended"]["recording_ended_at"])
    assert (ended - job["second_ended_at"]).total_seconds() > WINDOW_S - 4


def test_events_tell_start_and_end_with_both_streams(job):
    start, end = job["events"]
    assert (start["detail-type"], start["resources"]) == ("IVS Recording State Change", [job["channel"]["arn"]])
    assert start["detail"]["recording_status"] == "Recording Start"
    assert start["detail"]["recording_s3_key_prefix"] == job["prefix"]
    detail = end["detail"]
    assert detail["recording_status"] == "Recording End"
    assert abs(detail["recording_duration_ms"] - 30_000) <= 500
    assert len(detail["recording_session_stream_ids"]) == 2
    assert detail["recording_session_stream_ids"][0] == start["detail"]["stream_id"]
    assert detail["recording_session_id"] == start["detail"]["recording_session_id"]


def test_another_size_begins_another_recording_and_no_renditions_leave_thumbnails(server, ivs, s3):
    bucket = make_bucket(s3)
    configuration = make_configuration(
        ivs, bucket, recordingReconnectWindowSeconds=300, renditionConfiguration={"renditionSelection": "NONE"},
        thumbnailConfiguration={"recordingMode": "INTERVAL", "targetIntervalSeconds": 2})
    key = make_channel(ivs, configuration)["streamKey"]["value"]
    for size in ("320x180", "480x270"):
        broadcast = Broadcast(server, key, 5, size)
        try:
            broadcast.wait(40)
        finally:
            broadcast.kill()
        wait_for("not live", lambda: not ivs.list_streams()["streams"], 40)
    both = prefix_when(s3, bucket, 2)
    heights = []
    for prefix in both:
        started = document(s3, bucket, prefix, "started")
        assert "hls" not in started["media"]
        heights.append(started["media"]["thumbnails"]["resolution_height"])
        names = rec.list_keys(s3, bucket, prefix)
        assert f"{prefix}/media/thumbnails/thumb0.jpg" in names
        assert not any("/hls/" in name for name in names)
    assert sorted(heights) == [180, 270]
    first = next(p for p in both if document(s3, bucket, p, "started")["media"]["thumbnails"]["resolution_height"] == 180)
    document(s3, bucket, first, "ended")


def test_a_bucket_that_is_gone_fails_the_recording_and_not_the_stream(server, ivs, s3):
    bucket = make_bucket(s3)
    configuration = make_configuration(ivs, bucket)
    made = make_channel(ivs, configuration)
    s3.delete_bucket(Bucket=bucket)
    broadcast = Broadcast(server, made["streamKey"]["value"], 8)
    try:
        wait_for("live", lambda: requests.get(made["channel"]["playbackUrl"], timeout=5).status_code == 200, 20)
        broadcast.wait(40)
    finally:
        broadcast.kill()
    failed, = events_of(server, bucket, 1)
    assert failed["detail"]["recording_status"] == "Recording Start Failure"
    assert failed["detail"]["recording_status_reason"] == "ResourceNotFoundException"


def test_a_killed_server_leaves_a_whole_recording_that_failed(binary, make_client, tmp_path):
    server = Server(binary, tmp_path / "killed")
    broadcast = None
    try:
        ivs, s3 = make_client("ivs", server.http), make_client("s3", server.s3)
        bucket = make_bucket(s3)
        configuration = make_configuration(ivs, bucket)
        broadcast = Broadcast(server, make_channel(ivs, configuration)["streamKey"]["value"], 60)
        prefix, = prefix_when(s3, bucket)
        wait_for("a playlist", lambda: rec.list_keys(s3, bucket, f"{prefix}/media/hls/master"), 40)
        server.child.kill()
        server.child.wait()
    finally:
        if broadcast:
            broadcast.kill()
        if server.child.poll() is None:
            server.stop()
    with Server(binary, tmp_path / "killed") as again:
        s3 = make_client("s3", again.s3)
        failed = document(s3, bucket, prefix, "failed")
        assert failed["recording_status"] == "RECORDING_ENDED_WITH_FAILURE"
        assert failed["recording_status_message"] == "InternalServerException"
        assert failed["media"]["hls"]["duration_ms"] >= 9_000
        folder = tmp_path / "media"
        for name in rec.list_keys(s3, bucket, f"{prefix}/media/hls"):
            path = folder / name.removeprefix(f"{prefix}/media/hls/")
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, name, str(path))
        assert decode(folder / "master.m3u8") * 1000 // FPS == failed["media"]["hls"]["duration_ms"]
        events = events_of(again, bucket, 2)
        assert [e["detail"]["recording_status"] for e in events] == ["Recording Start", "Recording End Failure"]
