"""A participant is gone for a moment."""

import os
import signal
import time

from support import recording as rec
from support import stage as st
from support.server import wait_for


def test_a_momentary_disconnect_does_not_end_the_recording(server, realtime, s3, tmp_path, faults):
    """peers.md 3, row 8."""
    look = ["--color", "30a030", "--size", "320x180", "--bitrate", "300000"]
    stage = st.make_stage(realtime)
    storage, bucket = st.make_storage(realtime, s3)
    encoder = st.make_encoder(realtime, width=320, height=180, bitrate=300_000)
    token = st.token(realtime, stage, "ada")["token"]
    publisher = server.publish(token, *look)
    started = st.start(realtime, stage, st.to_s3(storage, encoder))
    arn, prefix = started["arn"], st.prefix_of(started)
    try:
        st.wait_all_active(realtime, arn)
        wait_for("a segment", lambda: rec.segment_count(s3, bucket, prefix), 20)
        os.kill(publisher.child.pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(publisher.child.pid, signal.SIGCONT)
        wait_for("a segment", lambda: rec.segment_count(s3, bucket, prefix) > 1, 20)
        publisher.child.kill()
        publisher = server.publish(token, *look)
        before = rec.segment_count(s3, bucket, prefix)
        wait_for("more segments", lambda: rec.segment_count(s3, bucket, prefix) >= before + 2, 20)
        assert st.composition(realtime, arn)["state"] == "ACTIVE"
        st.stop(realtime, arn)
    finally:
        publisher.stop()
    rec.wait_until_ended(s3, bucket, prefix)
    recording = rec.download(s3, bucket, prefix, tmp_path)
    recording.assert_whole()
    frames = recording.frames()
    seen = [rec.near(rec.mean_color(frame, 0.3, 0.4), rec.rgb("30a030")) for frame in frames[30::15]]
    assert all(seen), f"the picture is gone at {[30 + 15 * n for n, there in enumerate(seen) if not there]}"
    faults.record("Network", "a participant is gone for half a second, then its process dies and it comes back",
                  "the composition goes on and keeps the participant's picture")
