"""Where a worker's CPU time goes, live: perf samples, summed by what is done.

Decoding, x264, AAC and Opus are what nobody avoids. They are seen in the very process whose whole is compared with them, so
neighbours on the machine and cold caches change both alike.
"""

import collections
import pathlib
import subprocess
import sys
import tempfile
import time

import world

PARTICIPANTS = [1, 4, 9, 12]
LAYERS = ["720p", "simulcast q/h/f"]
START_LIMIT_S = 60
POLL_S = 0.05
# The first seconds load plug-ins.
SETTLE_S = 4
RECORD_S = 10
SAMPLES_PER_SECOND = "499"

# What perf calls the object, and what is done there.
OBJECTS = {
    "libx264": "x264",
    "libavcodec": "decoding, AAC",
    "libavutil": "decoding, AAC",
    "libm.": "decoding, AAC",
    "libgst": "GStreamer",
    "libglib": "GStreamer",
    "libgobject": "GStreamer",
    "libc.": "copies, allocation",
    "[kernel": "kernel",
}
UNAVOIDABLE = ["x264", "decoding, AAC", "Opus"]
OURS = ["raster", "other own code", "GStreamer", "copies, allocation", "kernel", "rest"]


def part_of(object_name, symbol):
    if object_name == "proscenium":
        if "raster::" in symbol:
            return "raster"
        # The only C in a worker is libopus; C has no paths.
        return "other own code" if "::" in symbol else "Opus"
    return next((part for start, part in OBJECTS.items() if object_name.startswith(start)), "rest")


def worker_of(bench):
    """The worker that the bench has started."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        children = pathlib.Path(f"/proc/{bench.pid}/task").glob("*/children")
        found = [pid for listed in children for pid in listed.read_text().split()]
        for pid in found:
            if b"compose" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        assert bench.poll() is None, "the bench has ended"
        time.sleep(POLL_S)
    raise AssertionError(f"no worker within {START_LIMIT_S} s")


def shares(data):
    """Percent of all samples by part."""
    report = subprocess.run(
        ["perf", "report", "-i", data, "--stdio", "--sort", "dso,symbol", "-F", "overhead,dso,symbol", "-t", ";"],
        check=True, capture_output=True, text=True,
    ).stdout
    found = collections.Counter()
    for line in report.splitlines():
        if ";" not in line or line.startswith("#"):
            continue
        percent, object_name, symbol = line.split(";", 2)
        found[part_of(object_name.strip(), symbol)] += float(percent.strip().rstrip("%"))
    return found


def profile(capacity, participants, layers):
    bench = subprocess.Popen(
        [capacity, "--participants", str(participants), "--only", f"H.264 {layers}",
         "--seconds", str(SETTLE_S + 2 * RECORD_S)],
        stdout=subprocess.DEVNULL,
    )
    try:
        worker = worker_of(bench)
        with tempfile.TemporaryDirectory() as folder:
            data = f"{folder}/perf.data"
            subprocess.run(
                ["perf", "record", "--delay", str(SETTLE_S * 1000), "-F", SAMPLES_PER_SECOND, "-e", "cpu-clock",
                 "-p", worker, "-o", data, "--", "sleep", str(SETTLE_S + RECORD_S)],
                check=True, capture_output=True,
            )
            return shares(data)
    finally:
        bench.kill()
        bench.wait()


def main():
    parser = world.arguments(__doc__)
    parser.add_argument("--capacity", required=True, help="the program of the bench `capacity`")
    options = parser.parse_args()
    world.head("participants", *(f"{part} %" for part in UNAVOIDABLE + OURS), "worker / unavoidable")
    for layers in LAYERS:
        for participants in PARTICIPANTS:
            found = profile(options.capacity, participants, layers)
            unavoidable = sum(found[part] for part in UNAVOIDABLE)
            world.row(
                f"{participants} x {layers}",
                *(f"{found[part]:.1f}" for part in UNAVOIDABLE + OURS),
                f"{sum(found.values()) / unavoidable:.2f}",
            )


if __name__ == "__main__":
    sys.exit(main())
