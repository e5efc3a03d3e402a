"""`proscenium serve` is killed at random moments of a start, of an active composition, of a stop: nothing is stuck after it."""

import pathlib
import random
import re
import socket
import struct
import threading
import time

import numpy as np

from support import recording as rec
from support import stage as st
from support.events import read_events
from support.server import Server, wait_for

SEED = 20261129
SMALL = {"width": 320, "height": 180, "bitrate": 300_000}
# DESIGN.md 3.3: at start-up every unfinished composition is continued or ended within this time.
SETTLED_LIMIT_S = 10
ORPHAN_LIMIT_S = 5
# Sound leaves its encoder a little later than the picture; what had not come is lost with the server.
TAIL_SOUNDS = 5
UNIT_HEADER = struct.Struct("<BQIII")
VIDEO_KINDS = (0, 1)
ROUNDS = ["start", "active", "stop", "start", "active", "stop"]


def orphans(server):
    """Processes that this server has spawned and that are still alive: their environment names its data folder."""
    mark = f"GST_REGISTRY={server.data_dir.resolve()}/".encode()
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            pass
    return found


def kill(server):
    server.child.kill()
    server.child.wait()
    wait_for("no worker", lambda: not orphans(server), ORPHAN_LIMIT_S)


def frames_in_spool(spool):
    """How many frames of the recording were on disk when its server died."""
    frames = 0
    for file in (spool / "open").glob("*.units"):
        units, at = file.read_bytes(), 0
        while at + UNIT_HEADER.size <= len(units):
            kind, number, _, length, _ = UNIT_HEADER.unpack_from(units, at)
            at += UNIT_HEADER.size + length
            if kind in VIDEO_KINDS and at <= len(units):
                frames = max(frames, number + 1)
    sealed = re.findall(r'"next_video":(\d+)', (spool / "ledger.jsonl").read_text())
    return max([frames, *map(int, sealed)])


def check_bucket(s3, bucket, prefix, folder):
    """Playlist and bucket agree; returns the recording, or `None` when nothing was recorded."""
    keys = rec.list_keys(s3, bucket, prefix)
    if not any(key.endswith(".ts") for key in keys):
        return None
    recording = rec.download(s3, bucket, prefix, folder)
    stored = {key.rsplit("/", 1)[1] for key in keys if key.endswith(".ts")}
    assert stored == set(recording.segments)
    return recording


class Life:
    """One server after the other on the same data folder, and what was started on them."""

    def __init__(self, binary, make_client, folder):
        self.binary, self.make_client, self.folder = binary, make_client, folder
        self.dice = random.Random(SEED)
        self.killed = {}

    def clients(self, server):
        return self.make_client("ivs-realtime", server.http), self.make_client("s3", server.s3)

    def round(self, server, moment, stage, destinations):
        """Starts a composition and kills the server at a random moment of `moment`."""
        realtime, _ = self.clients(server)
        if moment == "start":
            answers = []
            asking = threading.Thread(target=lambda: answers.append(start(realtime, stage, destinations)))
            asking.start()
            time.sleep(self.dice.uniform(0, 0.4))
            kill(server)
            asking.join()
            return answers[0]
        started = start(realtime, stage, destinations)
        st.wait_all_active(realtime, started["arn"])
        time.sleep(self.dice.uniform(0.5, 4))
        if moment == "stop":
            realtime.stop_composition(arn=started["arn"])
            time.sleep(self.dice.uniform(0, 0.6))
        kill(server)
        return started


def start(realtime, stage, destinations):
    """`None` when the server died before it answered."""
    try:
        return st.start(realtime, stage, *destinations)
    except Exception as error:  # noqa: BLE001
        assert "Connection" in type(error).__name__ or "EndpointConnection" in type(error).__name__, repr(error)
        return None


def test_a_killed_server_leaves_no_orphan_that_is_active_for_ever_and_every_recording_whole(
        binary, make_client, tmp_path, faults):
    """peers.md 3, row 7: orphans after a restart, the API says ACTIVE for ever."""
    life = Life(binary, make_client, tmp_path)
    with Server(binary, tmp_path / "server") as server:
        realtime, s3 = life.clients(server)
        ivs = make_client("ivs", server.http)
        storage, bucket = st.make_storage(realtime, s3)
        encoder = st.make_encoder(realtime, **SMALL)
        stage = st.make_stage(realtime)
        channel = ivs.create_channel()["channel"]["arn"]
        destinations = [st.to_s3(storage, encoder), st.to_channel(channel, encoder)]
        server.stop()
    went_on = []
    for n, moment in enumerate(ROUNDS):
        with Server(binary, tmp_path / "server") as server:
            started = life.round(server, moment, stage, destinations)
        spools = list((server.data_dir / "spool").glob("*/ledger.jsonl"))
        on_disk = {ledger.parent.name: frames_in_spool(ledger.parent) for ledger in spools}
        begun = time.monotonic()
        with Server(binary, tmp_path / "server") as server:
            realtime, s3 = life.clients(server)
            ended = realtime.list_compositions()["compositions"]
            assert time.monotonic() - begun <= SETTLED_LIMIT_S
            if started:
                assert started["arn"] in [c["arn"] for c in ended]
            for one in ended:
                # It goes on, or has ended.
                if one["state"] not in ("FAILED", "STOPPED"):
                    went_on.append(moment)
                    st.wait_all_active(realtime, one["arn"])
                    st.stop(realtime, one["arn"])
                assert st.composition(realtime, one["arn"])["endTime"]
            wait_for("an empty spool", lambda: not list((server.data_dir / "spool").glob("*/ledger.jsonl")), 30)
            for one in ended:
                found = st.composition(realtime, one["arn"])
                assert {d["state"] for d in found["destinations"]} <= {"FAILED", "STOPPED"}, found
                destination = next(d for d in found["destinations"] if "detail" in d)
                frames = on_disk.pop(destination["id"], None)
                if frames is None:
                    continue
                prefix = st.prefix_of(found)
                recording = check_bucket(s3, bucket, prefix, tmp_path / f"recording{n}")
                names = {key.rsplit("/", 1)[1] for key in rec.list_keys(s3, bucket, f"{prefix}/events")}
                assert len(names & {"recording-ended.json", "recording-failed.json"}) == 1, names
                if recording:
                    assert recording.assert_whole(tail_sounds=TAIL_SOUNDS) >= frames, moment
                    assert recording.decode_errors() == ""
                else:
                    assert not frames
            assert not on_disk, "a spool of no composition"
            # The stage and the channel are free again.
            again = st.start(realtime, stage, *destinations)
            st.wait_all_active(realtime, again["arn"])
            st.stop(realtime, again["arn"])
    assert went_on.count("active") == ROUNDS.count("active"), went_on
    for moment in ("start", "active composition", "stop"):
        faults.record("Server death", f"SIGKILL of the server at a random moment of a{'n' * (moment[0] == 'a')} {moment}",
                      "after the restart nothing is stuck, no worker lives, the recording has every frame that was in the spool")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_participants_that_come_back_with_their_tokens_continue_the_composition_of_a_killed_server(
        binary, make_client, tmp_path, faults):
    config, flags = f'http = "127.0.0.1:{free_port()}"\n', ("--rtmp", "--s3", "--webrtc")
    look = ["--color", "30a030", "--tone", "500", "--size", "320x180", "--bitrate", "400000"]
    with Server(binary, tmp_path / "server", config, flags=flags) as server:
        realtime, s3, ivs = (make_client(name, server.s3 if name == "s3" else server.http)
                             for name in ("ivs-realtime", "s3", "ivs"))
        storage, bucket = st.make_storage(realtime, s3)
        encoder = st.make_encoder(realtime, **SMALL)
        stage = st.make_stage(realtime)
        channel = ivs.create_channel()["channel"]["arn"]
        ada = st.token(realtime, stage, "ada")
        publisher = server.publish(ada["token"], *look)
        started = st.start(realtime, stage, st.to_s3(storage, encoder), st.to_channel(channel, encoder))
        arn, prefix = started["arn"], st.prefix_of(started)
        st.wait_all_active(realtime, arn)
        wait_for("three segments", lambda: rec.segment_count(s3, bucket, prefix) >= 3, 20)
        kill(server)
        publisher.stop()
    [ledger] = (server.data_dir / "spool").glob("*/ledger.jsonl")
    before = frames_in_spool(ledger.parent)
    begun = time.monotonic()
    with Server(binary, tmp_path / "server", config, flags=flags) as server:
        realtime, s3, ivs = (make_client(name, server.s3 if name == "s3" else server.http)
                             for name in ("ivs-realtime", "s3", "ivs"))
        assert st.composition(realtime, arn)["state"] == "ACTIVE"
        publisher = server.publish(ada["token"], *look)
        try:
            st.wait_all_active(realtime, arn, SETTLED_LIMIT_S)
            print(f"going on after {time.monotonic() - begun:.1f} s")
            wait_for("a live stream", lambda: ivs.list_streams(filterBy={"health": "HEALTHY"})["streams"], 20)
            segments = rec.segment_count(s3, bucket, prefix)
            wait_for("four more segments", lambda: rec.segment_count(s3, bucket, prefix) >= segments + 4, 30)
            assert len(realtime.list_stage_sessions(stageArn=stage)["stageSessions"]) == 1
            st.stop(realtime, arn)
        finally:
            publisher.stop()
        told = read_events(server, 8, last=0, wanted=lambda envelope: envelope["resources"] == [arn])
        rec.wait_until_ended(s3, bucket, prefix)
        recording = check_bucket(s3, bucket, prefix, tmp_path / "recording")
    names = [envelope["detail"]["event_name"] for _, envelope in told]
    assert sorted(names[:3]) == ["Destination Start", "Destination Start", "Session Start"]
    assert names[3:5] == ["Destination Reconnecting"] * 2
    assert names[5:] == ["Destination End", "Destination End", "Session End"]
    frames = recording.assert_whole(tail_sounds=TAIL_SOUNDS)
    assert recording.decode_errors() == ""
    assert frames >= before + 3 * 60
    pictures, spot = recording.frames(), (0.3, 0.4)
    for k in (60, before - 30, frames - 30):
        assert rec.near(rec.mean_color(pictures[k], *spot), rec.rgb("30a030")), f"frame {k}"
    beeps = rec.beeps(recording.sound(), 500)[:, 0]
    assert np.sum(beeps < before / 30) >= 3 and np.sum(beeps > before / 30 + 1) >= 3, beeps
    faults.record("Server death", "SIGKILL of the server, its participants come back with their tokens",
                  "the composition goes on: the same recording without a gap in its frames, the same stage session, a new stream")
