"""S3 in all its faults: several recordings at once, each with faults of its own; the tests look at what came of them.

`--outage SECONDS`: for how long S3 is away.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from support import recording as rec
from support import s3_proxy as faulty
from support import stage as st
from support.bucket_watcher import BucketWatcher
from support.events import read_events
from support.metrics import SETTING, values
from support.s3_world import FPS, SEGMENT_S, Site
from support.server import wait_for

AREA = "S3"
# One after the other, for one recording.
BRIEF = {
    faulty.SLOW_DOWN: "503 SlowDown",
    faulty.INTERNAL_ERROR: "500 InternalError",
    faulty.RESET: "connection reset half-way",
    faulty.WRONG_CHECKSUM: "content damaged on its way (wrong checksum)",
    faulty.EXPIRED: "expired credentials",
    faulty.SKEWED: "clock skew",
}
BRIEF_LIMIT_S = 20
# Each for a recording of its own: two requests of 30 s fail before a store that swallows everything counts as interrupted.
LASTING = {
    faulty.SLOW: "slow, 1 kB/s",
    faulty.TIME_OUT_IN_REQUEST: "time-out half-way through the request",
    faulty.TIME_OUT_BEFORE_ANSWER: "time-out half-way through the answer",
}
LASTING_LIMIT_S = 100
OUTAGE_S = 20
# A wait of at most 30 s, and the request that tells.
BACK_LIMIT_S = 40
# Far beyond what four segments under way take; everything else is on disk.
MEMORY_GROWTH_MAX_KB = 64 * 1024
CATCH_UP_MIN = 5
# A composition that is stopped gives up after 60 s.
STOP_LIMIT_S = 75
BEHIND_MAX_S = 2


class LiveReader(threading.Thread):
    """Plays a live channel: the segments that its playlist named, with their lengths."""

    def __init__(self, playback_url):
        super().__init__(daemon=True)
        self.playback_url, self.segments, self.texts = playback_url, {}, []
        self.over = threading.Event()

    def run(self):
        variant = None
        while not self.over.wait(0.5):
            answer = requests.get(variant or self.playback_url, timeout=10)
            lines = answer.text.splitlines() if answer.status_code == 200 else []
            if variant is None:
                names = [line for line in lines if line and line[0] != "#"]
                variant = requests.compat.urljoin(self.playback_url, names[0]) if names else None
                continue
            self.texts.append(answer.text)
            for extinf, name in zip(lines, lines[1:]):
                if extinf.startswith("#EXTINF:"):
                    self.segments[name] = float(extinf[8:].split(",")[0])


@pytest.fixture(scope="module")
def run(binary, server, s3, make_client, tmp_path_factory, request):
    """Does everything once, and says what was seen."""
    folder = tmp_path_factory.mktemp("s3-faults")
    outage_s = request.config.getoption("--outage")
    seen = {"folder": folder, "outage_s": outage_s}
    with BucketWatcher(s3) as watcher:
        site = {
            name: Site(binary, folder / name, server, s3, make_client, settings)
            for name, settings in {
                "brief": SETTING, "others": "", "small": "[spool]\nmax_mib = 1",
            }.items()
        }
        seen |= {"site": site, "watcher": watcher}
        try:
            start_everything(site, watcher, seen)
            with ThreadPoolExecutor() as pool:
                others = pool.submit(go_through_others, site, s3, seen)
                go_through_brief(site["brief"], seen)
                go_through_outage(site["brief"], seen, outage_s)
                others.result()
            yield seen
        finally:
            for each in site.values():
                each.close()


def start_everything(site, watcher, seen):
    channel = site["brief"].ivs.create_channel()["channel"]
    seen["channel"] = channel
    brief = site["brief"]
    seen["brief"] = brief.record("brief", st.to_channel(channel["arn"], brief.encoder), watcher=watcher)
    seen["lasting"] = {fault: site["others"].record(fault, watcher=watcher) for fault in LASTING}
    for name in ("denied", "deleted", "stuck"):
        seen[name] = site["others"].record(name, watcher=watcher)
    seen["full"] = site["small"].record("full", watcher=watcher)
    for each in [seen["brief"], *seen["lasting"].values(), seen["denied"], seen["deleted"], seen["stuck"], seen["full"]]:
        st.wait_all_active(each.site.realtime, each.arn, 30)
    seen["live"] = LiveReader(channel["playbackUrl"])
    seen["live"].start()


def go_through_brief(site, seen):
    recording, seen["injected"] = seen["brief"], {}
    for fault in BRIEF:
        recording.fault(fault)
        recording.reaches("RECONNECTING", BRIEF_LIMIT_S)
        seen["injected"][fault] = site.proxy.injected[recording.bucket]
        recording.fault(faulty.NONE)
        recording.reaches("ACTIVE", BRIEF_LIMIT_S)


def go_through_outage(site, seen, outage_s):
    """Nobody listens; then everything is caught up with."""
    recording, watcher = seen["brief"], seen["watcher"]
    before_kb, begun = site.memory_kb(), time.monotonic()
    behind, memory, states = [], [], set()

    def look():
        behind.extend(values(site.server, "proscenium_worker_behind_seconds").values())
        memory.append(site.memory_kb())
        states.add(next(d["state"] for d in recording.composition()["destinations"] if "detail" not in d))

    site.proxy.vanish()
    recording.reaches("RECONNECTING", BRIEF_LIMIT_S)
    wait_for("the end of the outage", lambda: look() or time.monotonic() >= begun + outage_s, outage_s + 10, 0.5)
    there, missed_s = watcher.growth(recording.bucket, recording.prefix)[-1][1], time.monotonic() - begun
    site.proxy.appear()
    all_there = there + int(missed_s / SEGMENT_S)

    def caught_up():
        look()
        return watcher.growth(recording.bucket, recording.prefix)[-1][1] >= all_there

    recording.reaches("ACTIVE", BACK_LIMIT_S)
    back = time.monotonic()
    wait_for("everything that was missed", caught_up, BACK_LIMIT_S, 0.1)
    # Seen from the first upload on: the destination is ACTIVE when that is confirmed.
    took_s = max(time.monotonic() - back, 0.1)
    seen["outage"] = {
        "missed_s": missed_s, "took_s": took_s, "behind": behind, "memory_kb": max(memory) - before_kb, "states": states,
    }


def go_through_others(site, s3, seen):
    for fault, recording in seen["lasting"].items():
        recording.fault(fault)
    seen["denied"].fault(faulty.DENIED)
    seen["full"].fault(faulty.RESET)
    seen["stuck"].fault(faulty.RESET)
    seen["stuck"].reaches("RECONNECTING", BRIEF_LIMIT_S)
    site["others"].realtime.stop_composition(arn=seen["stuck"].arn)
    deleted = seen["deleted"]
    wait_for("an empty bucket", lambda: empty_and_delete(s3, deleted.bucket), BRIEF_LIMIT_S, 0)
    for name in ("denied", "deleted"):
        seen[name].reaches("FAILED", BRIEF_LIMIT_S)
    seen["denied"].fault(faulty.NONE)
    seen["recovered beside others"] = site["others"].recover()
    with ThreadPoolExecutor() as pool:
        list(pool.map(come_back, seen["lasting"].values()))
    seen["full"].reaches("FAILED", LASTING_LIMIT_S)
    spool = site["small"].server.data_dir / "spool"
    seen["spool bytes"] = sum(path.stat().st_size for path in spool.rglob("*") if path.is_file())
    seen["full"].fault(faulty.NONE)
    seen["recovered a full spool"] = site["small"].recover()
    seen["stuck"].reaches("FAILED", STOP_LIMIT_S)
    seen["stuck state"] = seen["stuck"].composition()["state"]
    seen["stuck"].fault(faulty.NONE)
    rec.wait_until_ended(s3, seen["stuck"].bucket, seen["stuck"].prefix, BACK_LIMIT_S)


def come_back(recording):
    recording.reaches("RECONNECTING", LASTING_LIMIT_S)
    recording.fault(faulty.NONE)
    recording.reaches("ACTIVE", BACK_LIMIT_S)
    recording.stop()


def empty_and_delete(s3, bucket):
    """Deletes what is in a bucket and then the bucket, unless something came in between."""
    for key in rec.list_keys(s3, bucket, ""):
        s3.delete_object(Bucket=bucket, Key=key)
    try:
        s3.delete_bucket(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "BucketNotEmpty", error
        return False
    return True


def story(recording, until):
    """The details of the events of a composition, in order, to the first that is called `until`."""
    details = []

    def is_last(envelope):
        if envelope["resources"] == [recording.arn]:
            details.append({"source": envelope["source"], **envelope["detail"]})
            return envelope["detail"]["event_name"] == until
        return False

    read_events(recording.site.server, 1, last=0, wanted=is_last)
    return details


def failure(recording):
    """How a destination failed: code and reason of its last event."""
    details = story(recording, "Destination Failure")
    return details[-1]["error_code"], details[-1]["reason"]


def check_rules(run):
    """At every moment, in every bucket."""
    assert run["watcher"].violations == []
    for site in run["site"].values():
        assert site.proxy.rules.violations == []


def test_the_rules_of_the_bucket_hold_at_every_moment(run):
    assert run["watcher"].looks > 100
    check_rules(run)


def test_a_failed_upload_drops_no_later_segment_and_leaves_no_open_playlist(run, faults, tmp_path):
    """peers.md 5: one failed upload dropped all later segments, the playlist had no end."""
    recording = run["brief"]
    assert all(count >= 2 for count in run["injected"].values()), run["injected"]
    assert recording.stop()["recording_status"] == "RECORDING_ENDED"
    names = [detail["event_name"] for detail in story(recording, "Session End")]
    assert names.count("Destination Reconnecting") == len(BRIEF) + 1, names
    assert "Destination Failure" not in names
    assert recording.assert_whole(tmp_path) >= run["outage_s"] * FPS
    check_rules(run)
    for fault in BRIEF.values():
        faults.record(AREA, fault, "RECONNECTING, then ACTIVE; nothing is missing, the rules of the bucket hold")


def test_a_store_that_swallows_requests_or_is_slow_ends_no_recording(run, faults, tmp_path):
    """peers.md 14: time-outs, half-closed and slow connections."""
    check_rules(run)
    for fault, recording in run["lasting"].items():
        names = [detail["event_name"] for detail in story(recording, "Session End")]
        assert "Destination Reconnecting" in names and "Destination Failure" not in names, f"{fault}: {names}"
        recording.assert_whole(tmp_path)
        faults.record(AREA, LASTING[fault],
                      "RECONNECTING after two requests of 30 s, then ACTIVE; nothing is missing, the rules of the bucket hold")


def check_outage(run):
    outage = run["outage"]
    rate = outage["missed_s"] / outage["took_s"]
    print(f"caught up with {outage['missed_s']:.1f} s in {outage['took_s']:.1f} s, {rate:.0f} times real time; "
          f"at most {max(outage['behind']):.2f} s behind, {outage['memory_kb']} kB more")
    assert rate >= CATCH_UP_MIN
    assert outage["states"] == {"ACTIVE"}, "the broadcast"
    assert max(outage["behind"]) < BEHIND_MAX_S
    assert outage["memory_kb"] < MEMORY_GROWTH_MAX_KB
    live = run["live"]
    live.over.set()
    live.join(20)
    numbers = [int("".join(filter(str.isdigit, name.rpartition("/")[2]))) for name in live.segments]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) >= run["outage_s"] / SEGMENT_S
    assert not any("#EXT-X-DISCONTINUITY" in text for text in live.texts)
    # The last one ends where the composition did.
    assert all(abs(length - SEGMENT_S) < 0.1 for length in list(live.segments.values())[:-1]), live.segments
    return ("RECONNECTING, then ACTIVE; caught up at 5 x real time or more, the broadcast never leaves ACTIVE, "
            "memory grows by less than 64 MB")


def test_an_outage_is_caught_up_with_five_times_faster_than_it_lasted_and_live_output_is_unhurt(run, faults):
    outcome = check_outage(run)
    if run["outage_s"] == OUTAGE_S:
        faults.record(AREA, f"unreachable for {OUTAGE_S} s", outcome)


def test_a_long_outage_is_caught_up_with_as_well(run, faults):
    if run["outage_s"] <= OUTAGE_S:
        pytest.skip("`make faults`")
    faults.record(AREA, f"unreachable for {run['outage_s']} s", check_outage(run))


def test_access_denied_fails_the_destination_and_recover_uploads_what_is_left(run, faults, tmp_path):
    assert failure(run["denied"]) == (
        "AccessDeniedException", "Access denied to S3 bucket. Please verify your bucket policy.")
    status, said = run["recovered beside others"]
    assert f"UPLOADED s3://{run['denied'].bucket}/{run['denied'].prefix}" in said, said
    assert run["denied"].document("recording-failed.json")
    # The worker had a little more sound than picture, or less, when it was cut off.
    run["denied"].assert_whole(tmp_path, tail_sounds=20)
    faults.record(AREA, "access denied",
                  "FAILED, AccessDeniedException; `proscenium recover` uploads the rest as RECORDING_ENDED_WITH_FAILURE")
    # The bucket of the other one is gone for good.
    assert status == 1 and f"LEFT s3://{run['deleted'].bucket}" in said, said


def test_a_deleted_bucket_fails_the_destination(run, faults):
    assert failure(run["deleted"]) == (
        "ResourceNotFoundException", "S3 bucket not found. Please verify your bucket exists.")
    faults.record(AREA, "bucket deleted", "FAILED, ResourceNotFoundException; what is in the spool stays there")


def test_a_spool_is_bounded_and_told_of_at_80_and_100_percent(run, faults, tmp_path):
    full = run["full"]
    details = story(full, "Destination Failure")
    spool = [detail for detail in details if detail["source"] == "proscenium"]
    assert [detail["event_name"] for detail in spool] == ["Spool Filling", "Spool Full"]
    assert all(detail["spool_bytes_max"] == 1 << 20 for detail in spool)
    # What did not fit any more is counted, too.
    assert 0.8 < spool[0]["spool_bytes"] / (1 << 20) < 0.9 and 0.95 < spool[1]["spool_bytes"] / (1 << 20) < 1.1
    # The ledger and the specification come on top.
    assert run["spool bytes"] < 1.1 * (1 << 20)
    assert details[-1]["error_code"] == "InternalServerException"
    status, said = run["recovered a full spool"]
    assert status == 0 and f"UPLOADED s3://{full.bucket}/{full.prefix}" in said, said
    full.assert_whole(tmp_path, tail_sounds=20)
    faults.record(AREA, "away until the spool is full",
                  "events at 80 % and 100 %; FAILED, InternalServerException; `proscenium recover` uploads everything")


def test_a_store_that_is_away_does_not_freeze_the_stop(run, faults, tmp_path):
    """peers.md 13: a failed upload wedged the whole recording."""
    assert failure(run["stuck"])[0] == "InternalServerException"
    assert run["stuck state"] == "STOPPED"
    assert run["stuck"].document("recording-ended.json")
    run["stuck"].assert_whole(tmp_path)
    faults.record(AREA, "away during StopComposition",
                  "after 60 s STOPPED, the destination FAILED, InternalServerException; the rest is uploaded when S3 is back")
