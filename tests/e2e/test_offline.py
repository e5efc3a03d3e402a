"""A kept journal composes again: to the very recording that was made live, and in other ways."""

import json
import subprocess

import pytest

from support import recording as rec
from support import stage as st
from support.server import Server

SMALL = {"width": 320, "height": 180, "framerate": 15.0, "bitrate": 400_000}


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    with Server(binary, tmp_path_factory.mktemp("server"), config="[journal]\nkeep_hours = 1\n") as server:
        yield server


def compose(binary, journal, job, out):
    return subprocess.run(
        [binary, "compose", "--journal", journal, "--job", job, "--out", out], capture_output=True, text=True)


def test_the_kept_journal_of_a_deleted_stage_composes_to_the_bytes_of_the_recording(
        binary, server, realtime, s3, tmp_path):
    stage = st.make_stage(realtime)
    publisher = server.publish(st.token(realtime, stage, "ada")["token"], "--name", "Ada", "--size", "320x180")
    storage, bucket = st.make_storage(realtime, s3)
    started = st.start(realtime, stage, st.to_s3(storage, st.make_encoder(realtime, **SMALL)))
    st.wait_all_active(realtime, started["arn"])
    stopped = st.stop(realtime, started["arn"])
    publisher.stop()
    rec.wait_until_ended(s3, bucket, st.prefix_of(stopped))
    live = rec.download(s3, bucket, st.prefix_of(stopped), tmp_path / "live")

    realtime.delete_stage(arn=stage)
    [journal] = (server.data_dir / "kept-journals").glob("*/st-*")
    job = journal / f"job-{started['arn'].rpartition('/')[2]}.json"
    before = {path.name: path.read_bytes() for path in journal.iterdir()}
    done = compose(binary, journal, job, tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert "CRITICAL" not in done.stderr, "the sandbox leaves GStreamer what it needs"
    assert {path.name: path.read_bytes() for path in journal.iterdir()} == before, "the journal is only read"

    assert live.segments == ["0.ts", *live.segments[1:]]
    for segment in live.segments:
        assert (tmp_path / "again" / segment).read_bytes() == (live.playlist.parent / segment).read_bytes(), segment

    other = tmp_path / "other.json"
    other.write_text(json.dumps({"video": {**SMALL, "height": 240}, "layout": {"pip": {}}}))
    done = compose(binary, journal, other, tmp_path / "other")
    assert done.returncode == 0, done.stderr
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height", "-of", "csv=p=0",
         tmp_path / "other/multivariant.m3u8"], check=True, capture_output=True, text=True)
    assert "320,240" in probe.stdout

    refused = compose(binary, journal, job, tmp_path / "again")
    assert refused.returncode == 1 and "is not empty" in refused.stderr
    other.write_text(json.dumps({"video": {"framerate": 90}}))
    refused = compose(binary, journal, other, tmp_path / "refused")
    assert refused.returncode == 1 and "`video.framerate`: 90 given, must be 1 to 60" in refused.stderr
