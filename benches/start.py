"""From StartComposition to the first GetComposition that says ACTIVE, with one publisher on the stage."""

import pathlib
import statistics
import subprocess
import tempfile
import time

import world
from support import stage
from support.server import Server

POLL_S = 0.005
ACTIVE_LIMIT_S = 15

# What the first picture and sound of a worker need at least: a process, its plugins, one frame through each encoder.
PEER = (
    "gst-launch-1.0 -q compositor name=grid ! video/x-raw,format=I420,width=1280,height=720,framerate=30/1 ! "
    "x264enc tune=zerolatency speed-preset=veryfast threads=1 bitrate=2500 ! fakesink sync=false async=false "
    "videotestsrc num-buffers=1 ! video/x-raw,width=1280,height=720,framerate=30/1 ! grid. "
    "audiotestsrc num-buffers=2 ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! avenc_aac ! "
    "fakesink sync=false async=false"
)


def milliseconds(work):
    before = time.perf_counter()
    result = work()
    return (time.perf_counter() - before) * 1000, result


def until_active(realtime, arn):
    deadline = time.monotonic() + ACTIVE_LIMIT_S
    while time.monotonic() < deadline:
        found = stage.composition(realtime, arn)
        if found["state"] == "ACTIVE":
            return
        assert found["state"] == "STARTING", found
        time.sleep(POLL_S)
    raise AssertionError(f"not ACTIVE within {ACTIVE_LIMIT_S} s")


def one_start(realtime, stage_arn, destination):
    def start():
        made = stage.start(realtime, stage_arn, destination)
        until_active(realtime, made["arn"])
        return made["arn"]

    took, arn = milliseconds(start)
    stage.stop(realtime, arn)
    return took


def report(what, times, peer_median):
    ordered = sorted(times)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    p50 = statistics.median(ordered)
    world.row(what, len(ordered), f"{p50:.0f}", f"{p95:.0f}", f"{ordered[-1]:.0f}", f"{p50 / peer_median:.2f}")


def measure(server, runs, beside):
    realtime, s3 = world.client("ivs-realtime", server.http), world.client("s3", server.s3)
    ivs = world.client("ivs", server.http)
    stage_arn = stage.make_stage(realtime)
    encoder = stage.make_encoder(realtime)
    storage, _ = stage.make_storage(realtime, s3)
    destinations = {
        "S3": stage.to_s3(storage, encoder),
        "channel": stage.to_channel(ivs.create_channel(name="bench")["channel"]["arn"], encoder),
    }
    publisher = server.publish(stage.token(realtime, stage_arn, "alice")["token"], "--size", "1280x720")
    times = {name: [] for name in [*destinations, "peer", "call"]}
    others = [stage.start(realtime, stage_arn, destinations["S3"])["arn"] for _ in range(beside)]
    try:
        for arn in others:
            until_active(realtime, arn)
        for _ in range(runs):
            for name, destination in destinations.items():
                times[name].append(one_start(realtime, stage_arn, destination))
            times["peer"].append(milliseconds(lambda: subprocess.run(PEER.split(), check=True))[0])
            times["call"].append(milliseconds(lambda: realtime.get_stage(arn=stage_arn))[0])
        for arn in others:
            stage.stop(realtime, arn)
    finally:
        publisher.stop()
    return times


def main():
    parser = world.arguments(__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--beside", type=int, default=0, help="compositions that run meanwhile")
    options = parser.parse_args()
    binary = options.proscenium or world.built()
    with tempfile.TemporaryDirectory() as folder, Server(binary, pathlib.Path(folder)) as server:
        times = measure(server, options.runs, options.beside)
    peer = statistics.median(times["peer"])
    world.head("", "runs", "p50 ms", "p95 ms", "worst ms", "p50 / peer p50")
    report("StartComposition to ACTIVE, S3", times["S3"], peer)
    report("StartComposition to ACTIVE, channel", times["channel"], peer)
    report("peer: gst-launch-1.0 with one frame", times["peer"], peer)
    report("one API call (GetStage)", times["call"], peer)


if __name__ == "__main__":
    main()
