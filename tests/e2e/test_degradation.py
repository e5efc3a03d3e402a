"""Too little CPU: a composition gives up quality, never its recording; a full machine takes no further one."""

import subprocess

import pytest

from support import recording as rec
from support import stage as st
from support.events import read_events
from support.metrics import SETTING, values
from support.server import Server, wait_for
from support.throttle import Throttle

# Of what the worker needs: less than what the last step saves.
SHARE = 0.5
# The ladder's length.
STEPS_MAX = 5
# A late worker obeys a step only when it gets there, and has to catch up before it rises again.
STEP_LIMIT_S = 60
FRAMES_MEASURED = 90
FPS = 30


def quality_events(server, name, count):
    def is_wanted(envelope):
        return envelope["detail-type"] == "Proscenium Composition Quality Change" and (
            envelope["detail"]["event_name"] == name)

    found = read_events(server, count, last=0, wanted=is_wanted, limit_s=STEP_LIMIT_S * count)
    return [envelope for _, envelope in found]


def only_value(server, name):
    found = values(server, name)
    return next(iter(found.values())) if found else None


def cpus_needed(server):
    """Of the one worker at full quality, over its next frames."""

    def spent():
        composed = [only_value(server, f"proscenium_frames_{kind}_total") for kind in ("composed", "unchanged")]
        return None if None in composed else (sum(composed), only_value(server, "proscenium_worker_cpu_seconds"))

    def spent_later():
        now = spent()
        return now if now and now[0] >= before[0] + FRAMES_MEASURED else None

    before = wait_for("counters", spent, 20)
    after = wait_for("more frames", spent_later, 30)
    return (after[1] - before[1]) / (after[0] - before[0]) * FPS


def test_a_starved_composition_is_degraded_and_restored_and_its_recording_is_whole(
        binary, make_client, tmp_path, request):
    # No step saves half of the CPU.
    steps = request.config.getoption("--steps")
    config = SETTING + "[journal]\nkeep_hours = 1\n"
    with Server(binary, tmp_path / "server", config) as server:
        realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
        stage = st.make_stage(realtime)
        storage, bucket = st.make_storage(realtime, s3)
        publisher = server.publish(st.token(realtime, stage, "ada")["token"], "--size", "640x360")
        try:
            started = st.start(realtime, stage, st.to_s3(storage, st.make_encoder(realtime)))
            st.wait_all_active(realtime, started["arn"])
            (pid,) = server.worker_pids()
            with Throttle(pid, SHARE * cpus_needed(server)):
                reduced = quality_events(server, "Quality Reduced", steps)
                wait_for("steps in effect", lambda: (only_value(server, "proscenium_degradation_step") or 0) >= steps, STEP_LIMIT_S)
            [raised] = quality_events(server, "Quality Raised", 1)
            assert st.composition(realtime, started["arn"])["state"] == "ACTIVE"
            assert server.worker_pids() == [pid]
            st.stop(realtime, started["arn"])
        finally:
            publisher.stop()
        prefix = st.prefix_of(started)
        rec.wait_until_ended(s3, bucket, prefix)
        recording = rec.download(s3, bucket, prefix, tmp_path / "live")
        realtime.delete_stage(arn=stage)
        [journal] = (server.data_dir / "kept-journals").glob("*/st-*")

    for step, envelope in enumerate(reduced, 1):
        assert (envelope["source"], envelope["resources"]) == ("proscenium", [started["arn"]])
        assert envelope["detail"] == {"event_name": "Quality Reduced", "stage_arn": stage, "step": step}
    assert steps - 1 <= raised["detail"]["step"] < STEPS_MAX
    recording.assert_whole()
    assert recording.decode_errors() == ""

    # A replay takes the same steps at the same frames.
    job = journal / f"job-{started['arn'].rpartition('/')[2]}.json"
    subprocess.run([binary, "compose", "--journal", journal, "--job", job, "--out", tmp_path / "again"], check=True)
    for segment in recording.segments:
        assert (tmp_path / "again" / segment).read_bytes() == (recording.playlist.parent / segment).read_bytes(), segment


def test_a_full_machine_takes_no_further_composition(binary, make_client, tmp_path):
    with Server(binary, tmp_path / "server", "[limits]\ncpu_percent = 1\n") as server:
        realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
        stage, encoder = st.make_stage(realtime), st.make_encoder(realtime, width=320, height=180)
        storage, _ = st.make_storage(realtime, s3)
        first = st.start(realtime, stage, st.to_s3(storage, encoder))
        with pytest.raises(realtime.exceptions.ServiceQuotaExceededException) as refused:
            st.start(realtime, stage, st.to_s3(storage, encoder))
        message = refused.value.response["exceptionMessage"]
        assert "this server is full: its compositions use" in message and "at most 0.0" in message
        assert [c["arn"] for c in realtime.list_compositions()["compositions"]] == [first["arn"]]
        st.wait_all_active(realtime, first["arn"])
        st.stop(realtime, first["arn"])

        def started():
            try:
                return st.start(realtime, stage, st.to_s3(storage, encoder))
            except realtime.exceptions.ServiceQuotaExceededException:
                return None

        # Its worker ends a moment after the state is told.
        st.stop(realtime, wait_for("room", started, 10)["arn"])
