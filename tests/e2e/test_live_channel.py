"""A live channel: metadata, an ad break, a slate while the publisher is away, and what its stream session says afterwards."""

import re
import subprocess
import urllib.request
import uuid

import pytest
from support import recording as rec
from support.browser import Browser
from support.server import wait_for

STEP_S = 40
ADS = "arn:aws:mediatailor:us-east-1:123456789012:playbackConfiguration/ads"


def publish(server, key, seconds):
    return subprocess.Popen([
        "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30",
        "-re", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", str(seconds),
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30", "-b:v", "600k",
        "-c:a", "aac", "-ac", "2", "-f", "flv", f"{server.rtmp}/{key}",
    ])


def fetched(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def media_playlist(master):
    """Where this player's media playlist is, once there is one."""
    try:
        variant = fetched(master).splitlines()[-1]
    except OSError:
        return None
    return master.rsplit("/", 1)[0] + "/" + variant


def luma(url):
    """The mean brightness of the first picture."""
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", url, "-frames:v", "1", "-vf", "scale=1:1", "-pix_fmt", "gray", "-f", "rawvideo", "-"],
        check=True, capture_output=True, timeout=STEP_S).stdout
    return raw[0]


def make_recording_configuration(ivs, s3):
    bucket = f"live-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    made = ivs.create_recording_configuration(destinationConfiguration={"s3": {"bucketName": bucket}})
    arn = made["recordingConfiguration"]["arn"]
    state = lambda: ivs.get_recording_configuration(arn=arn)["recordingConfiguration"]["state"]
    wait_for("an active recording configuration", lambda: state() == "ACTIVE", STEP_S)
    return bucket, arn


@pytest.fixture(scope="module")
def live(server, ivs, s3):
    """The whole life, once; what was seen on the way."""
    slate = ivs.create_failover_slate_configuration()["failoverSlateConfiguration"]
    ads = ivs.create_ad_configuration(
        mediaTailorPlaybackConfigurations=[{"playbackConfigurationArn": ADS}])["adConfiguration"]
    bucket, recorded = make_recording_configuration(ivs, s3)
    made = ivs.create_channel(
        name="live", recordingConfigurationArn=recorded, failoverSlateConfigurationArn=slate["arn"], adConfigurationArn=ads["arn"])
    channel, key = made["channel"], made["streamKey"]["value"]
    seen = {"channel": channel, "bucket": bucket}
    publisher = publish(server, key, 120)
    with Browser() as browser:
        playlist = wait_for("a playlist", lambda: media_playlist(channel["playbackUrl"]), STEP_S)
        wait_for("the stream", lambda: ivs.list_streams()["streams"], STEP_S)
        page = browser.page()
        page.evaluate("url => play(url)", channel["playbackUrl"])
        wait_for("playback", lambda: page.evaluate("playback()")["time"] > 1, STEP_S)

        answer = ivs.put_metadata(channelArn=channel["arn"], metadata="héllo from the server")
        seen["put"] = answer["ResponseMetadata"]["HTTPStatusCode"]
        seen["metadata"] = wait_for("the metadata", lambda: page.evaluate("playback()")["metadata"], STEP_S)
        seen["break"] = ivs.insert_ad_break(channelArn=channel["arn"], durationSeconds=2)
        seen["out"] = fetched(playlist)
        seen["in"] = wait_for("the way in", lambda: "SCTE35-IN" in (text := fetched(playlist)) and text, STEP_S)
        ivs.update_channel(arn=channel["arn"], name="renamed")

        publisher.kill()
        publisher.wait()
        discontinuous = lambda n: lambda: fetched(playlist).count("#EXT-X-DISCONTINUITY\n") == n
        wait_for("the slate", discontinuous(1), STEP_S)
        text = fetched(playlist)
        first = re.search(r"#EXT-X-DISCONTINUITY\n(?:#.*\n)*(\S+\.ts)", text)[1]
        seen["slate"] = luma(playlist.rsplit("/", 1)[0] + "/" + first)
        before = page.evaluate("playback()")["time"]
        wait_for("playback of the slate", lambda: page.evaluate("playback()")["time"] > before + 5, STEP_S)

        publisher = publish(server, key, 12)
        wait_for("the return", discontinuous(2), STEP_S)
        before = page.evaluate("playback()")["time"]
        wait_for("playback after it", lambda: page.evaluate("playback()")["time"] > before + 5, STEP_S)
        assert publisher.wait(timeout=STEP_S) == 0
        seen["player"] = page.evaluate("playback()")
    seen["playlist"] = playlist
    wait_for("the end", lambda: fetched(playlist).endswith("#EXT-X-ENDLIST\n"), STEP_S)
    wait_for("the session's end", lambda: "endTime" in session(ivs, channel), STEP_S)
    wait_for("the recording's end", lambda: "Recording End" in names(session(ivs, channel)), STEP_S)
    return seen


def session(ivs, channel):
    return ivs.get_stream_session(channelArn=channel["arn"])["streamSession"]


def names(found):
    return [event["name"] for event in reversed(found["truncatedEvents"])]


def test_metadata_reaches_a_browser(live):
    assert live["put"] == 204
    assert any("héllo from the server" in text for text in live["metadata"])


def test_ad_break_is_signalled_out_and_in(live):
    identifier = live["break"]["adBreakId"]
    assert re.fullmatch("[a-zA-Z0-9]{12}", identifier)
    out = re.search(f'#EXT-X-DATERANGE:ID="{identifier}",.*PLANNED-DURATION=2.000,SCTE35-OUT=0xFC30[0-9A-F]+', live["out"])
    assert out and "SCTE35-IN" not in live["out"]
    assert out[0] in live["in"]
    assert re.search(f'ID="{identifier}",.*END-DATE=".*",DURATION=2.000,SCTE35-IN=0xFC30', live["in"])


def test_player_plays_on_over_the_slate(live):
    assert live["slate"] < 80, "dark, unlike the test picture"
    assert live["player"]["errors"] == [] and live["player"]["width"] == 640
    decoded = subprocess.run(["ffmpeg", "-v", "error", "-i", live["playlist"], "-f", "null", "-"], timeout=STEP_S)
    assert decoded.returncode == 0


def test_stream_session_tells_all_of_it(live, ivs):
    channel = live["channel"]
    found = session(ivs, channel)
    assert found["channel"]["name"] == "live", "as it was when the stream began"
    assert found["failoverSlateConfiguration"]["activationThresholdSeconds"] == 3
    video = found["ingestConfiguration"]["video"]
    assert (video["videoWidth"], video["videoHeight"], video["targetFramerate"]) == (640, 360, 30)
    assert video["encoder"].startswith("Lavf") and video["codec"].startswith("avc1.")
    assert found["ingestConfigurations"]["audioConfigurations"][0]["sampleRate"] == 48000
    assert found["recordingConfiguration"]["destinationConfiguration"]["s3"]["bucketName"] == live["bucket"]
    told = names(found)
    assert [name for name in told if name.startswith("Recording")] == ["Recording Start", "Recording End"]
    # A publisher on a busy machine may starve once more than it was made to.
    starvation = [name for name in told if name.startswith("Starvation")]
    assert starvation and starvation == ["Starvation Start", "Starvation End"] * (len(starvation) // 2)
    assert [name for name in told if not name.startswith(("Recording", "Starvation"))] == [
        "Session Created", "Stream Start", "Ad Break Inserted", "Stream End", "Session Ended",
    ]
    away = told.index("Ad Break Inserted"), told.index("Stream End")
    assert "Starvation Start" in told[away[0]:away[1]] and "Starvation End" in told[away[0]:away[1]], told
    listed = ivs.list_stream_sessions(channelArn=channel["arn"])["streamSessions"]
    assert [(row["streamId"], row["hasErrorEvent"]) for row in listed] == [(found["streamId"], False)]
    ivs.delete_channel(arn=channel["arn"])
    assert session(ivs, channel)["streamId"] == found["streamId"]


def test_all_of_it_is_in_the_recording(live, s3):
    keys = rec.list_keys(s3, live["bucket"], "ivs/v1/")
    read = lambda key: s3.get_object(Bucket=live["bucket"], Key=key)["Body"].read()
    for name in ("playlist.m3u8", "byte-range-variant.m3u8"):
        playlist, = [key for key in keys if key.endswith("/" + name)]
        text = read(playlist).decode()
        identifier = live["break"]["adBreakId"]
        tags = re.findall(f'#EXT-X-DATERANGE:ID="{identifier}".*', text)
        assert len(tags) == 2 and "SCTE35-OUT=0xFC30" in tags[0] and "SCTE35-IN=0xFC30" in tags[1], text
        assert text.count("#EXT-X-DISCONTINUITY\n") == 2, "before and after the slate"
    segments = [read(key) for key in keys if key.endswith(".ts")]
    assert any("héllo from the server".encode() in segment for segment in segments)


def test_slate_can_be_looked_at(live, tmp_path):
    """The picture itself is text on a plain ground: bright letters in the middle, none at the edge."""
    text = fetched(live["playlist"])
    first = re.search(r"#EXT-X-DISCONTINUITY\n(?:#.*\n)*(\S+\.ts)", text)[1]
    url = live["playlist"].rsplit("/", 1)[0] + "/" + first
    gray = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", url, "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"],
        check=True, capture_output=True, timeout=STEP_S).stdout
    rows = [gray[y * 640:(y + 1) * 640] for y in range(360)]
    assert max(max(row) for row in rows[120:240]) > 180
    assert max(max(row) for row in rows[:60] + rows[300:]) < 60
