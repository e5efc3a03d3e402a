"""Compositions for hours while participants come, freeze and go, workers are killed and S3 fails; every recording is verified.

Ends with an error when a recording is not whole, an upload breaks a rule, or memory, descriptors or threads grow.
"""

import argparse
import collections
import csv
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[2]
sys.path.append(str(ROOT / "benches"))

import pygal  # noqa: E402
import world  # noqa: E402
from support import recording as rec  # noqa: E402
from support import s3_proxy  # noqa: E402
from support import stage as st  # noqa: E402
from support.s3_world import FPS, SEGMENT_S, Site  # noqa: E402
from support.server import Server  # noqa: E402

PUBLISHERS_MAX, COMPOSITIONS_MAX = 4, 3
# A composition that is younger is not stopped: it would hardly be one.
LIFE_MIN_S = 20
PAUSE_S = (0.5, 3.0)
FAULT_S = (1, 12)
FREEZE_S = (0.2, 3.0)
FAULTS = [s3_proxy.SLOW_DOWN, s3_proxy.INTERNAL_ERROR, s3_proxy.RESET, s3_proxy.SLOW, s3_proxy.TIME_OUT_BEFORE_ANSWER]
# More than five deaths within a minute fail a composition, as they should.
BETWEEN_KILLS_S = 20
SAMPLE_S = 5
ENDED_LIMIT_S = 120
# The last quarter against the second one: the first fills caches and pools.
GROWTH_MAX = {"server_mib": 64, "descriptors": 24, "threads": 8}
TAIL_SOUNDS = 4


class Resources:
    """What the server and its workers hold, now and then."""

    def __init__(self, server):
        self.server, self.begun, self.rows, self.due = server, time.monotonic(), [], 0

    def sample(self):
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + SAMPLE_S
        pid = self.server.child.pid
        workers = [memory_mib(worker) for worker in self.server.worker_pids()]
        self.rows.append({
            "seconds": round(time.monotonic() - self.begun),
            "server_mib": memory_mib(pid),
            "workers_mib": sum(workers),
            "workers": len(workers),
            "descriptors": len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())),
            "threads": len(list(pathlib.Path(f"/proc/{pid}/task").iterdir())),
        })

    def growth(self):
        """By how much the median of the last quarter is above that of the second."""
        quarter = len(self.rows) // 4
        early, late = self.rows[quarter : 2 * quarter], self.rows[-quarter:]
        return {name: tuple(statistics.median(row[name] for row in rows) for rows in (early, late)) for name in GROWTH_MAX}

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "soak.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0])
            writer.writeheader()
            writer.writerows(self.rows)
        chart = pygal.XY(title="Soak: what the server holds", x_title="seconds", js=[], show_dots=False, width=800, height=450)
        for name in ("server_mib", "workers_mib", "descriptors", "threads"):
            chart.add(name.replace("_mib", ", MiB"), [(row["seconds"], row[name]) for row in self.rows])
        chart.render_to_file(folder / "soak.svg")


def memory_mib(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmRSS")), 0)


class Composition:
    def __init__(self, soak):
        self.soak, self.begun, self.killed = soak, time.monotonic(), 0
        self.bucket = f"soak-{soak.count['started']}"
        soak.site.s3.create_bucket(Bucket=self.bucket)
        storage = soak.site.realtime.create_storage_configuration(s3={"bucketName": self.bucket})
        self.storage = storage["storageConfiguration"]["arn"]
        started = st.start(soak.site.realtime, soak.stage, st.to_s3(self.storage, soak.site.encoder))
        self.arn, self.prefix = started["arn"], st.prefix_of(started)

    def stop(self):
        self.soak.site.proxy.set(self.bucket, s3_proxy.NONE)
        self.soak.site.realtime.stop_composition(arn=self.arn)

    def verify(self, folder):
        """It has ended well and is whole; then it makes room."""
        site = self.soak.site
        assert st.wait_for_state(site.realtime, self.arn, "STOPPED", "FAILED", limit_s=ENDED_LIMIT_S) == "STOPPED"
        rec.wait_until_ended(site.s3, self.bucket, self.prefix, ENDED_LIMIT_S)
        recording = rec.download(site.s3, self.bucket, self.prefix, folder)
        frames = recording.assert_whole(FPS, SEGMENT_S, TAIL_SOUNDS)
        assert recording.decode_errors() == ""
        for key in rec.list_keys(site.s3, self.bucket, ""):
            site.s3.delete_object(Bucket=self.bucket, Key=key)
        site.realtime.delete_storage_configuration(arn=self.storage)
        shutil.rmtree(folder)
        return frames


class Soak:
    def __init__(self, site, folder, seed):
        self.site, self.folder, self.random = site, folder, random.Random(seed)
        self.stage = st.make_stage(site.realtime)
        self.publishers, self.compositions, self.healing = [], [], []
        self.count, self.frames, self.last_kill = collections.Counter(), 0, 0

    def step(self):
        """One thing that happens."""
        self.heal()
        action = self.random.choice(
            [self.join, self.join, self.leave, self.freeze, self.start, self.stop, self.kill_worker, self.fail_s3])
        action()

    def heal(self):
        """Ends what has lasted long enough."""
        now = time.monotonic()
        for due, end in [one for one in self.healing if one[0] <= now]:
            end()
        self.healing = [one for one in self.healing if one[0] > now]

    def later(self, seconds, end):
        self.healing.append((time.monotonic() + self.random.uniform(*seconds), end))

    def join(self):
        if len(self.publishers) >= PUBLISHERS_MAX:
            return
        token = st.token(self.site.realtime, self.stage, f"user{self.count['joined']}")["token"]
        how = self.random.choice([[], ["--codec", "vp8"], ["--simulcast"], ["--no-video"], ["--no-audio"]])
        self.publishers.append(self.site.server.publish(token, "--size", "320x180", "--bitrate", "200000", *how))
        self.count["joined"] += 1

    def leave(self):
        if len(self.publishers) > 1:
            publisher = self.publishers.pop(self.random.randrange(len(self.publishers)))
            publisher.child.send_signal(signal.SIGCONT)
            publisher.stop()
            self.count["left"] += 1

    def freeze(self):
        publisher = self.random.choice(self.publishers)
        publisher.child.send_signal(signal.SIGSTOP)
        self.later(FREEZE_S, lambda: publisher.child.poll() is None and publisher.child.send_signal(signal.SIGCONT))
        self.count["froze"] += 1

    def start(self):
        if len(self.compositions) < COMPOSITIONS_MAX:
            self.compositions.append(Composition(self))
            self.count["started"] += 1

    def stop(self):
        old = [c for c in self.compositions if time.monotonic() - c.begun > LIFE_MIN_S]
        if old:
            composition = self.random.choice(old)
            self.compositions.remove(composition)
            composition.stop()
            self.verify(composition)

    def verify(self, composition):
        self.frames += composition.verify(self.folder / composition.bucket)
        self.count["verified"] += 1

    def kill_worker(self):
        workers = self.site.server.worker_pids()
        if workers and time.monotonic() - self.last_kill > BETWEEN_KILLS_S:
            subprocess.run(["kill", "-KILL", str(self.random.choice(workers))], check=False)
            self.last_kill = time.monotonic()
            self.count["killed workers"] += 1

    def fail_s3(self):
        if self.compositions:
            bucket = self.random.choice(self.compositions).bucket
            self.site.proxy.set(bucket, self.random.choice(FAULTS))
            self.later(FAULT_S, lambda: self.site.proxy.set(bucket, s3_proxy.NONE))
            self.count["S3 faults"] += 1

    def finish(self):
        for _, end in self.healing:
            end()
        for composition in self.compositions:
            composition.stop()
            self.verify(composition)
        for publisher in self.publishers:
            publisher.stop()


def soak(binary, folder, minutes, seed):
    with Server(binary, folder / "storing") as storing:
        site = Site(binary, folder / "server", storing, world.client("s3", storing.s3), world.client)
        resources = Resources(site.server)
        try:
            run = Soak(site, folder, seed)
            run.join()
            end = time.monotonic() + minutes * 60
            while time.monotonic() < end:
                resources.sample()
                run.step()
                time.sleep(run.random.uniform(*PAUSE_S))
            run.finish()
        finally:
            if resources.rows:
                resources.write(ROOT / "benches/plots")
            site.close()
    assert site.proxy.rules.violations == [], site.proxy.rules.violations
    return run, resources


def main():
    parser = world.arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run, resources = soak(options.proscenium or world.built(), pathlib.Path(folder), options.minutes, options.seed)
    world.head("what", "count")
    for what, count in run.count.items():
        world.row(what, count)
    world.row("frames, each there once", run.frames)
    print()
    world.head("", "second quarter", "last quarter")
    grown = []
    for name, (early, late) in resources.growth().items():
        world.row(name, early, late)
        grown += [name] if late - early > GROWTH_MAX[name] else []
    assert not grown, f"grew: {grown}"


if __name__ == "__main__":
    main()
