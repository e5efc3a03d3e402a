"""The composition worker dies in every way, at random moments: nobody who watches or plays the recording can tell."""

import os
import random
import resource
import signal
import subprocess
import time

import numpy as np
import pytest
import requests

from support import recording as rec
from support import stage as st
from support.events import read_events
from support.metrics import SETTING, values
from support.server import Server, wait_for

SEED = 20261129
# DESIGN.md 3.3: what the broadcast may lag before it has caught up, and how soon.
CATCH_UP_LIMIT_S = 3
BEHIND_NORMALLY_S = 1.0
# How exact the beginning and the end of a beep are found.
BEEP_STEP_S = 0.002
PEOPLE = {"ada": (500, "h264"), "bob": (700, "vp8")}
# Joins when the worker has no memory left for one more.
LATE = {"eve": (900, "vp8")}
VIDEO = {"width": 640, "height": 360, "bitrate": 1_500_000}


def starve_of_memory(pid):
    """No further memory is given to it."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (1 << 20, hard))


def fault(pid):
    """Rust's handler lets the first one happen again, which a real fault does."""
    os.kill(pid, signal.SIGSEGV)
    wait_for("the handler gone", lambda: not int(status_of(pid, "SigCgt"), 16) >> (signal.SIGSEGV - 1) & 1, 5, 0.01)
    os.kill(pid, signal.SIGSEGV)


def status_of(pid, name):
    with open(f"/proc/{pid}/status") as status:
        return next(line.split()[1] for line in status if line.startswith(name))


DEATHS = {
    "SIGKILL": lambda pid: os.kill(pid, signal.SIGKILL),
    "SIGSEGV": fault,
    "SIGSTOP": lambda pid: os.kill(pid, signal.SIGSTOP),
    "out of memory": starve_of_memory,
}


def worker(server, *besides):
    """The pid of the worker that is none of `besides`."""
    return wait_for("a worker", lambda: [pid for pid in server.worker_pids() if pid not in besides], 15, 0.02)[0]


def events_of(server, arn, count):
    """The first `count` events about a composition: their names."""
    found = read_events(server, count, last=0, wanted=lambda envelope: envelope["resources"] == [arn])
    return [envelope["detail"]["event_name"] for _, envelope in found]


def cpu(server):
    """CPU seconds of the worker that spoke last."""
    return max(values(server, "proscenium_worker_cpu_seconds").values(), default=0)


def caught_up(server, last_cpu):
    """Whether a successor has spoken since that was the last word of the dead one, and is where it should be."""
    behind = values(server, "proscenium_worker_behind_seconds").values()
    return cpu(server) != last_cpu and behind and max(behind) < BEHIND_NORMALLY_S


@pytest.fixture(scope="module")
def killed(binary, make_client, tmp_path_factory):
    """One composition whose worker dies five times within a minute, and the same composition without any death."""
    folder = tmp_path_factory.mktemp("worker-death")
    config = SETTING + "[journal]\nkeep_hours = 1\n"
    dice = random.Random(SEED)
    ways = [*dice.sample(list(DEATHS), len(DEATHS)), "SIGKILL"]
    seen = {"states": set(), "streams": set(), "behind": [], "ways": ways}
    with Server(binary, folder / "server", config) as server:
        realtime, s3, ivs = (make_client(name, server.s3 if name == "s3" else server.http)
                             for name in ("ivs-realtime", "s3", "ivs"))
        stage = st.make_stage(realtime)
        storage, bucket = st.make_storage(realtime, s3)
        channel = ivs.create_channel()["channel"]
        encoder = st.make_encoder(realtime, **VIDEO)

        def join(name, tone, codec):
            return server.publish(
                st.token(realtime, stage, name)["token"], "--name", name, "--tone", str(tone),
                "--codec", codec, "--size", "640x360", "--bitrate", "600000")

        publishers = [join(name, *how) for name, how in PEOPLE.items()]
        try:
            started = st.start(realtime, stage, st.to_channel(channel["arn"], encoder), st.to_s3(storage, encoder))
            arn = started["arn"]
            st.wait_all_active(realtime, arn)
            wait_for("live", lambda: requests.get(channel["playbackUrl"], timeout=5).status_code == 200, 20)
            wait_for("statistics", lambda: cpu(server) > 0.2, 20)

            def look():
                now = st.composition(realtime, arn)
                seen["states"].update([now["state"], *(d["state"] for d in now["destinations"])])
                seen["streams"].add(ivs.get_stream(channelArn=channel["arn"])["stream"]["streamId"])

            for way in ways:
                wait_for("work that is paid for", lambda: cpu(server) > 0.2, 10)
                time.sleep(dice.uniform(0, 2))
                pid = worker(server)
                DEATHS[way](pid)
                if way == "out of memory":
                    publishers += [join(name, *how) for name, how in LATE.items()]
                wait_for(f"{way} of {pid}", lambda: server.worker_pids() != [pid], 10, 0.02)
                died = time.monotonic()
                worker(server, pid)
                last = cpu(server)
                wait_for("caught up", lambda: look() or caught_up(server, last), 15, 0.05)
                seen["behind"].append((way, time.monotonic() - died))
            segments = rec.segment_count(s3, bucket, st.prefix_of(started))
            wait_for("more segments", lambda: rec.segment_count(s3, bucket, st.prefix_of(started)) > segments, 20)
            look()
            seen["ended"] = st.stop(realtime, arn)
        finally:
            for publisher in publishers:
                publisher.stop()
        rec.wait_until_ended(s3, bucket, st.prefix_of(started))
        seen["events"] = events_of(server, arn, 3 + len(ways) + 3)
        seen["recording"] = rec.download(s3, bucket, st.prefix_of(started), folder / "recording")
        realtime.delete_stage(arn=stage)
        [journal] = (server.data_dir / "kept-journals").glob("*/st-*")
    job = journal / f"job-{arn.rpartition('/')[2]}.json"
    subprocess.run([binary, "compose", "--journal", journal, "--job", job, "--out", folder / "undisturbed"], check=True)
    seen["undisturbed"] = folder / "undisturbed" / "multivariant.m3u8"
    return seen


def test_a_crash_of_the_compositor_leaves_no_unreadable_recording_and_every_frame_in_it(killed, faults):
    """peers.md 3, row 6: recorder crash or forced stop leaves an unreadable recording."""
    recording = killed["recording"]
    frames = recording.assert_whole()
    assert recording.decode_errors() == ""
    found, expected = rec.small_pictures(recording.multivariant), rec.small_pictures(killed["undisturbed"])
    assert len(found) == len(expected) == frames
    inner = slice(1, -1)
    apart = {
        shift: np.abs(found[inner] - np.roll(expected, -shift, axis=0)[inner]).mean(axis=(1, 2)) for shift in (-1, 0, 1)
    }
    # A disc circles in each picture, so the neighbours differ from the frame that is due.
    wrong = np.flatnonzero((apart[0] > apart[-1]) | (apart[0] > apart[1])) + 1
    assert not len(wrong), f"frames {wrong} of {frames} show another moment"
    for way in DEATHS:
        faults.record("Worker death", f"{way} of the worker at a random moment",
                      "the recording shows frame for frame what it shows without the death")


def test_a_recording_whose_worker_died_sounds_as_one_without_a_death(killed):
    found, expected = rec.sound_of(killed["recording"].multivariant), rec.sound_of(killed["undisturbed"])
    assert len(found) == len(expected)
    for name, (tone, _) in PEOPLE.items():
        heard, due = rec.beeps(found, tone), rec.beeps(expected, tone)
        assert heard.shape == due.shape and len(due) >= 8, f"{name}: {len(heard)} beeps, not {len(due)}"
    assert np.abs(heard - due).max() < 1.5 * BEEP_STEP_S, f"{name}: {heard - due}"


def test_a_broadcast_whose_worker_died_keeps_its_connection_and_catches_up(killed, faults):
    assert killed["states"] == {"ACTIVE"}
    assert len(killed["streams"]) == 1
    print("caught up after, s:", killed["behind"])
    assert max(took for _, took in killed["behind"]) <= CATCH_UP_LIMIT_S, killed["behind"]
    faults.record("Worker death", "five deaths within a minute, during a broadcast",
                  f"the same stream goes on and has caught up within {CATCH_UP_LIMIT_S} s each time")


def test_events_tell_of_each_death_in_order(killed):
    events = killed["events"]
    assert sorted(events[:3]) == ["Destination Start", "Destination Start", "Session Start"]
    assert events[3:-3] == ["Worker Died"] * len(killed["ways"])
    assert events[-3:] == ["Destination End", "Destination End", "Session End"]
    assert [d["state"] for d in killed["ended"]["destinations"]] == ["STOPPED", "STOPPED"]


def test_a_worker_that_dies_six_times_in_a_minute_fails_its_composition_and_what_was_recorded_plays(
        server, realtime, s3, tmp_path, faults):
    stage = st.make_stage(realtime)
    storage, bucket = st.make_storage(realtime, s3)
    encoder = st.make_encoder(realtime, width=320, height=180, bitrate=300_000)
    started = st.start(realtime, stage, st.to_s3(storage, encoder))
    arn, prefix = started["arn"], st.prefix_of(started)
    st.wait_all_active(realtime, arn)
    wait_for("a segment", lambda: rec.segment_count(s3, bucket, prefix), 20)
    pid = worker(server)
    for _ in range(5):
        os.kill(pid, signal.SIGKILL)
        pid = worker(server, pid)
        assert st.composition(realtime, arn)["state"] == "ACTIVE"
    os.kill(pid, signal.SIGKILL)
    assert st.wait_for_state(realtime, arn, "FAILED", "STOPPED", limit_s=10) == "FAILED"
    assert [d["state"] for d in st.composition(realtime, arn)["destinations"]] == ["FAILED"]
    assert events_of(server, arn, 9) == [
        "Destination Start", "Session Start", *["Worker Died"] * 5, "Destination Failure", "Session Failure"]
    wait_for("failed", lambda: f"{prefix}/events/recording-failed.json" in rec.list_keys(s3, bucket, prefix), 20)
    recording = rec.download(s3, bucket, prefix, tmp_path)
    assert recording.assert_whole(tail_sounds=5) >= 60
    assert recording.decode_errors() == ""
    assert not server.worker_pids()
    faults.record("Worker death", "a sixth death within a minute",
                  "the composition is FAILED with Session Failure, everything recorded until then plays")
