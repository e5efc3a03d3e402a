"""Resources run out, and the wall clock jumps: what is recorded stays whole."""

import pathlib
import socket
import struct
import subprocess
import time
import urllib.parse

from support import recording as rec
from support import stage as st
from support.server import Server, wait_for
from support.stage import composition

HERE = pathlib.Path(__file__).parent
SMALL = {"width": 320, "height": 180, "bitrate": 300_000}
OPEN_FILES_MAX = 300
CONNECTIONS = 400
# Less than what signatures tolerate, more than any time-out of a composition.
JUMP_S = 200


def begin(make_client, server):
    """A composition of an empty stage to a bucket and a channel; answers its clients and itself."""
    realtime, s3, ivs = (make_client(name, server.s3 if name == "s3" else server.http)
                         for name in ("ivs-realtime", "s3", "ivs"))
    storage, bucket = st.make_storage(realtime, s3)
    encoder = st.make_encoder(realtime, **SMALL)
    channel = ivs.create_channel()["channel"]["arn"]
    started = st.start(
        realtime, st.make_stage(realtime), st.to_s3(storage, encoder), st.to_channel(channel, encoder))
    st.wait_all_active(realtime, started["arn"])
    return realtime, s3, ivs, bucket, channel, started


def more_segments(s3, bucket, started, count=2):
    before = rec.segment_count(s3, bucket, st.prefix_of(started))
    wait_for("more segments", lambda: rec.segment_count(s3, bucket, st.prefix_of(started)) >= before + count, 20)


def end(realtime, s3, bucket, started, folder):
    st.stop(realtime, started["arn"])
    rec.wait_until_ended(s3, bucket, st.prefix_of(started))
    recording = rec.download(s3, bucket, st.prefix_of(started), folder)
    recording.assert_whole()
    assert recording.decode_errors() == ""


def test_connections_that_take_all_descriptors_do_not_reach_a_recording(binary, make_client, tmp_path, faults):
    few_files = tmp_path / "few-files"
    few_files.write_text(f'#!/bin/sh\nexec prlimit --nofile={OPEN_FILES_MAX} "{binary}" "$@"\n')
    few_files.chmod(0o755)
    with Server(few_files, tmp_path / "server") as server:
        realtime, s3, ivs, bucket, channel, started = begin(make_client, server)
        ports = [urllib.parse.urlparse(url).port for url in (server.http, server.s3, server.rtmp)]
        taken = []
        for n in range(CONNECTIONS):
            try:
                taken.append(socket.create_connection(("127.0.0.1", ports[n % 3]), 0.2))
            except OSError:
                pass
        assert len(taken) >= OPEN_FILES_MAX
        spool = server.data_dir / "spool"
        sealed = lambda: sum(ledger.read_text().count('"PENDING"') for ledger in spool.glob("*/ledger.jsonl"))  # noqa: E731
        before = sealed()
        wait_for("sealed segments", lambda: sealed() >= before + 3, 20)
        for connection in taken:
            connection.close()
        wait_for("an answer", lambda: composition(realtime, started["arn"])["state"] == "ACTIVE", 20)
        assert "FAILED" not in [d["state"] for d in composition(realtime, started["arn"])["destinations"]]
        st.wait_all_active(realtime, started["arn"])
        end(realtime, s3, bucket, started, tmp_path / "recording")
    faults.record("Resources", "more idle connections than files may be open",
                  "the recording goes on without a gap, requests are served once the connections are closed")


def test_a_wall_clock_that_jumps_moves_nothing_in_a_composition(binary, make_client, tmp_path, faults):
    library, offset = tmp_path / "clock.so", tmp_path / "offset"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, HERE / "support/clock.c"], check=True)
    offset.write_bytes(struct.pack("<q", 0))

    def jump(seconds):
        with open(offset, "r+b") as file:
            file.write(struct.pack("<q", seconds))

    with Server(binary, tmp_path / "server", env={"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}) as server:
        realtime, s3, ivs, bucket, channel, started = begin(make_client, server)
        stream = wait_for("a stream", lambda: ivs.list_streams()["streams"], 10)[0]["streamId"]
        begun = time.monotonic()
        for seconds in (JUMP_S, -JUMP_S):
            jump(seconds)
            more_segments(s3, bucket, started)
            now = composition(realtime, started["arn"])
            assert [now["state"], *(d["state"] for d in now["destinations"])] == ["ACTIVE"] * 3
        assert ivs.get_stream(channelArn=channel)["stream"]["streamId"] == stream
        end(realtime, s3, bucket, started, tmp_path / "recording")
        assert time.monotonic() - begun < 60
    faults.record("Resources", f"the wall clock jumps {JUMP_S} s forth and {2 * JUMP_S} s back",
                  "no timer fires, the recording has no gap, the stream is the same")
