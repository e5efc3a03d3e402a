"""Compositions that end at awkward moments, and servers that end in the middle of them."""

import os
import signal
import time

import pytest

from support import recording as rec
from support import stage as st
from support.server import Process, Server, wait_for

SMALL = {"width": 320, "height": 180, "bitrate": 300_000}


@pytest.fixture
def outputs(realtime, ivs, s3):
    """A stage without publishers, a bucket, a channel and an encoder configuration."""
    storage, bucket = st.make_storage(realtime, s3)
    return {
        "stage": st.make_stage(realtime),
        "encoder": st.make_encoder(realtime, **SMALL),
        "storage": storage,
        "bucket": bucket,
        "channel": ivs.create_channel()["channel"]["arn"],
    }


def start(realtime, outputs, *, channel=True):
    destinations = [st.to_s3(outputs["storage"], outputs["encoder"])]
    if channel:
        destinations.append(st.to_channel(outputs["channel"], outputs["encoder"]))
    return st.start(realtime, outputs["stage"], *destinations)


def states(realtime, arn):
    return [d["state"] for d in st.composition(realtime, arn)["destinations"]]


def test_a_stop_right_after_the_start_ends_soon(realtime, s3, outputs):
    started = start(realtime, outputs)
    st.stop(realtime, started["arn"], limit_s=10)
    rec.wait_until_ended(s3, outputs["bucket"], st.prefix_of(started))


def test_a_stage_deleted_right_after_the_start_fails_the_composition_soon(realtime, outputs):
    started = start(realtime, outputs)
    realtime.delete_stage(arn=outputs["stage"])
    assert st.wait_for_state(realtime, started["arn"], "FAILED", "STOPPED", limit_s=10) == "FAILED"
    assert states(realtime, started["arn"]) == ["STOPPED", "STOPPED"]


def test_two_compositions_of_one_stage_end_apart(realtime, s3, outputs, tmp_path):
    first, second = start(realtime, outputs), start(realtime, outputs, channel=False)
    for started in (first, second):
        st.wait_all_active(realtime, started["arn"])
    st.stop(realtime, first["arn"])
    before = rec.segment_count(s3, outputs["bucket"], st.prefix_of(second))
    wait_for("more of the second", lambda: rec.segment_count(s3, outputs["bucket"], st.prefix_of(second)) > before, 20)
    st.stop(realtime, second["arn"])
    for name, started in (("first", first), ("second", second)):
        prefix = st.prefix_of(started)
        rec.wait_until_ended(s3, outputs["bucket"], prefix)
        rec.download(s3, outputs["bucket"], prefix, tmp_path / name).assert_whole()


def test_a_hung_worker_is_replaced(server, realtime, s3, outputs, tmp_path):
    started = start(realtime, outputs)
    st.wait_all_active(realtime, started["arn"])
    (hung,) = server.worker_pids()
    os.kill(hung, signal.SIGSTOP)
    wait_for("a successor", lambda: server.worker_pids() not in ([], [hung]), 10)
    before = rec.segment_count(s3, outputs["bucket"], st.prefix_of(started))
    wait_for("more segments", lambda: rec.segment_count(s3, outputs["bucket"], st.prefix_of(started)) > before, 20)
    st.stop(realtime, started["arn"])
    prefix = st.prefix_of(started)
    rec.wait_until_ended(s3, outputs["bucket"], prefix)
    rec.download(s3, outputs["bucket"], prefix, tmp_path).assert_whole()


def test_a_stopped_stream_comes_back_and_a_takeover_ends_the_broadcast(server, realtime, ivs, outputs):
    started = start(realtime, outputs)
    st.wait_all_active(realtime, started["arn"])
    ivs.stop_stream(channelArn=outputs["channel"])
    wait_for("RECONNECTING", lambda: "RECONNECTING" in states(realtime, started["arn"]), 10, 0.02)
    st.wait_all_active(realtime, started["arn"])
    keys = ivs.list_stream_keys(channelArn=outputs["channel"])["streamKeys"]
    key = ivs.get_stream_key(arn=keys[0]["arn"])["streamKey"]["value"]
    rival = Process([
        "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30",
        "-f", "lavfi", "-i", "sine", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
        "-g", "30", "-c:a", "aac", "-ar", "48000", "-ac", "2", "-f", "flv",
        f"{server.rtmp}/{key}?priority=1000",
    ])
    try:
        wait_for("a failed broadcast", lambda: "FAILED" in states(realtime, started["arn"]), 30)
        assert sorted(states(realtime, started["arn"])) == ["ACTIVE", "FAILED"]
        assert st.composition(realtime, started["arn"])["state"] == "ACTIVE"
    finally:
        rival.stop()
    st.stop(realtime, started["arn"])


def test_sigterm_does_not_wait_for_an_s3_that_does_not_answer(binary, server, s3, make_client, tmp_path):
    config = (
        f'[s3]\nmode = "external"\nendpoint = "{server.s3}"\nregion = "us-east-1"\n'
        'access_key_id = "PROSCENIUMDEV"\nsecret_access_key = "proscenium-development-secret"\n'
    )
    with Server(binary, tmp_path / "other", config) as other:
        realtime = make_client("ivs-realtime", other.http)
        storage, bucket = st.make_storage(realtime, s3)
        started = st.start(
            realtime, st.make_stage(realtime), st.to_s3(storage, st.make_encoder(realtime, **SMALL)))
        wait_for("two segments", lambda: rec.segment_count(s3, bucket, st.prefix_of(started)) >= 2, 20)
        os.kill(server.child.pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            assert other.stop(12) == 0
            assert time.monotonic() - begun < 10
        finally:
            os.kill(server.child.pid, signal.SIGCONT)
    with Server(binary, tmp_path / "other", config) as other:
        realtime = make_client("ivs-realtime", other.http)
        assert st.composition(realtime, started["arn"])["state"] == "STOPPED"
        prefix = st.prefix_of(started)
        assert rec.wait_until_ended(s3, bucket, prefix)["recording_status"] == "RECORDING_ENDED"
        rec.download(s3, bucket, prefix, tmp_path / "recording").assert_whole()
