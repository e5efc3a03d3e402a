"""Power fails at any moment of a composition: of what was recorded at most a second is lost, and nothing is wrong or stuck."""

import random
import time

import pytest

from support import recording as rec
from support import stage as st
from support.disk import Disk, PowerLoss
from support.server import Server, wait_for
from test_server_death import TAIL_SOUNDS, check_bucket, frames_in_spool

SEED = 20261129
FPS = 30
LOST_FRAMES_MAX = FPS
MOMENTS = 4
FULL_S = 3
SMALL = {"width": 320, "height": 180, "bitrate": 300_000}


def record_for_a_while(binary, make_client, folder):
    """A composition of a participant; answers the disk below it and what was made."""
    disk = Disk(folder / "server" / "data", folder / "disk")
    with Server(binary, folder / "server", env=disk.env) as server:
        realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
        storage, bucket = st.make_storage(realtime, s3)
        stage = st.make_stage(realtime)
        publisher = server.publish(st.token(realtime, stage, "ada")["token"], "--size", "320x180", "--bitrate", "300000")
        try:
            started = st.start(realtime, stage, st.to_s3(storage, st.make_encoder(realtime, **SMALL)))
            st.wait_all_active(realtime, started["arn"])
            since = len(disk.records())
            prefix = st.prefix_of(started)
            wait_for("four segments", lambda: rec.segment_count(s3, bucket, prefix) >= 4, 30)
        finally:
            publisher.stop()
        server.child.kill()
        server.child.wait()
    return disk, since, started, bucket


def power_losses(disk, since, dice, folder):
    """Folders as power left them: at random moments, half of them right behind a change of names or a sync."""
    records = disk.records()
    delicate = [n for n in range(since, len(records)) if records[n][0] in "ruS"]
    moments = sorted([*dice.sample(range(since, len(records)), MOMENTS // 2), *dice.sample(delicate, MOMENTS // 2)])
    loss = PowerLoss(disk.data_dir)
    for n, record in enumerate(records):
        loss.follow(record)
        if n in moments:
            loss.write(folder / f"{n}-killed", everything=True)
            loss.write(folder / f"{n}-forced")
            loss.write(folder / f"{n}-some", dice)
            yield n, [folder / f"{n}-{kind}" for kind in ("forced", "some")], folder / f"{n}-killed"


def test_a_power_cut_loses_at_most_a_second(binary, make_client, tmp_path, faults):
    disk, since, started, bucket = record_for_a_while(binary, make_client, tmp_path)
    prefix, dice, lost = st.prefix_of(started), random.Random(SEED), []
    spool = f"spool/{prefix.split('/')[2]}"
    for moment, left, killed in power_losses(disk, since, dice, tmp_path / "left"):
        written = frames_in_spool(killed / spool)
        for folder in left:
            data = tmp_path / "again" / folder.name
            data.mkdir(parents=True)
            folder.rename(data / "data")
            with Server(binary, data) as server:
                realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
                if st.composition(realtime, started["arn"])["state"] != "FAILED":
                    st.wait_all_active(realtime, started["arn"])
                    st.stop(realtime, started["arn"])
                ended = {f"{prefix}/events/recording-{how}.json" for how in ("ended", "failed")}
                wait_for(f"{folder.name}: an end", lambda: ended & set(rec.list_keys(s3, bucket, prefix)), 20)
                recording = check_bucket(s3, bucket, prefix, data / "recording")
                frames = len(recording.packets("v:0")) if recording else 0
                # The very first frames may have come without sound.
                if frames > FPS:
                    assert recording.assert_whole(tail_sounds=TAIL_SOUNDS) == frames
                    assert recording.decode_errors() == ""
                lost.append(written - frames)
                assert lost[-1] <= LOST_FRAMES_MAX, f"{folder.name}: {frames} of {written} frames"
    print("frames lost:", lost)
    faults.record("Power loss", "nothing but what was forced to the disk is left, at random moments of a composition",
                  "the recording is sealed, whole, and at most a second short; no acknowledged change is missing")
    faults.record("Power loss", "some of what was not forced is left too, the last of it torn",
                  "the recording is sealed, whole, and at most a second short; no acknowledged change is missing")


def test_a_disk_that_is_full_for_a_while_stops_nothing_for_good(binary, make_client, tmp_path, faults):
    disk = Disk(tmp_path / "server" / "data", tmp_path / "disk")
    with Server(binary, tmp_path / "server", env=disk.env) as server:
        realtime, s3, ivs = (make_client(name, server.s3 if name == "s3" else server.http)
                             for name in ("ivs-realtime", "s3", "ivs"))
        storage, bucket = st.make_storage(realtime, s3)
        channel = ivs.create_channel()["channel"]["arn"]
        encoder = st.make_encoder(realtime, **SMALL)
        started = st.start(realtime, st.make_stage(realtime), st.to_s3(storage, encoder), st.to_channel(channel, encoder))
        arn, prefix = started["arn"], st.prefix_of(started)

        def states():
            return {"s3" if "detail" in d else "channel": d["state"] for d in st.composition(realtime, arn)["destinations"]}

        st.wait_all_active(realtime, arn)
        wait_for("two segments", lambda: rec.segment_count(s3, bucket, prefix) >= 2, 20)
        disk.fill()
        time.sleep(FULL_S)
        # Reading goes on while nothing can be written.
        assert st.composition(realtime, arn)["state"] == "ACTIVE"
        with pytest.raises(realtime.exceptions.InternalServerException):
            realtime.create_stage()
        disk.make_room()
        wait_for("a write", lambda: writes(realtime), 20)
        wait_for("a broadcast", lambda: states()["channel"] == "ACTIVE", 30)
        assert states()["s3"] in ("ACTIVE", "RECONNECTING", "FAILED")
        time.sleep(FULL_S)
        assert st.composition(realtime, arn)["state"] == "ACTIVE"
        st.stop(realtime, arn)
    with Server(binary, tmp_path / "server") as server:
        s3 = make_client("s3", server.s3)
        ended = {f"{prefix}/events/recording-{how}.json" for how in ("ended", "failed")}
        wait_for("an end", lambda: ended & set(rec.list_keys(s3, bucket, prefix)), 20)
        recording = check_bucket(s3, bucket, prefix, tmp_path / "recording")
        assert recording.assert_whole(tail_sounds=TAIL_SOUNDS) >= 2 * 2 * FPS
        assert recording.decode_errors() == ""
    faults.record("Resources", f"disk full for {FULL_S} s",
                  "reading requests are served, writing ones are refused until there is room; the broadcast goes on, "
                  "what is recorded is whole")


def writes(realtime):
    try:
        return realtime.create_stage()["stage"]["arn"]
    except realtime.exceptions.InternalServerException:
        return None
