"""Servers that record through fault proxies into the embedded S3 of another server, and their recordings by name."""

import subprocess

from . import recording as rec
from . import stage as st
from .s3_proxy import S3Proxy
from .server import Server, wait_for

FPS, SEGMENT_S = 15, 2
VIDEO = {"width": 320, "height": 180, "framerate": float(FPS), "bitrate": 300_000}
# Quota: five compositions of a stage.
RECORDINGS_PER_STAGE = 5
# A frame is as long as so many AAC frames, rounded up.
FRAME_SOUNDS = 4
RECOVER_LIMIT_S = 60


class Site:
    """A server under test, its way to S3 and its publishers."""

    def __init__(self, binary, folder, storing, s3, make_client, settings=""):
        self.binary, self.s3 = binary, s3
        self.proxy = S3Proxy(int(storing.s3.rpartition(":")[2]))
        config = (
            f'{settings}\n[limits.quotas]\nstorage_configurations = 20\n[s3]\nmode = "external"\nendpoint = "{self.proxy.url}"\nregion = "us-east-1"\n'
            'access_key_id = "PROSCENIUMDEV"\nsecret_access_key = "proscenium-development-secret"\n'
        )
        self.server = Server(binary, folder, config)
        self.realtime, self.ivs = (make_client(name, self.server.http) for name in ("ivs-realtime", "ivs"))
        self.encoder = st.make_encoder(self.realtime, **VIDEO)
        self.publishers, self.recordings, self.stage = [], {}, None

    def record(self, name, *destinations, watcher):
        """Starts a recording into a bucket of its own."""
        if len(self.recordings) % RECORDINGS_PER_STAGE == 0:
            self.stage = st.make_stage(self.realtime)
            token = st.token(self.realtime, self.stage, "ada")["token"]
            self.publishers.append(self.server.publish(token, "--size", "320x180", "--bitrate", "200000"))
        bucket = "".join(c if c.isalnum() else "-" for c in name.lower()) + "-recordings"
        self.s3.create_bucket(Bucket=bucket)
        made = self.realtime.create_storage_configuration(s3={"bucketName": bucket})
        to_s3 = st.to_s3(made["storageConfiguration"]["arn"], self.encoder)
        started = st.start(self.realtime, self.stage, to_s3, *destinations)
        self.recordings[name] = recording = FaultyRecording(self, bucket, started)
        watcher.add(bucket, recording.prefix)
        return recording

    def recover(self):
        """`proscenium recover` beside the running server: its exit status and what it said."""
        run = subprocess.run(
            [self.binary, "recover", "--config", self.server.folder / "proscenium.toml", "--data-dir", self.server.data_dir],
            capture_output=True, text=True, timeout=RECOVER_LIMIT_S)
        return run.returncode, run.stdout

    def memory_kb(self):
        with open(f"/proc/{self.server.child.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def close(self):
        for publisher in self.publishers:
            publisher.stop()
        self.server.stop()
        self.proxy.close()


class FaultyRecording:
    """A composition that is recorded into `bucket`."""

    def __init__(self, site, bucket, started):
        self.site, self.bucket, self.arn = site, bucket, started["arn"]
        self.prefix = st.prefix_of(started)

    def composition(self):
        return st.composition(self.site.realtime, self.arn)

    def state(self):
        return next(d["state"] for d in self.composition()["destinations"] if "detail" in d)

    def reaches(self, state, limit_s):
        wait_for(f"{self.bucket} {state}", lambda: self.state() == state, limit_s, 0.05)

    def fault(self, fault):
        self.site.proxy.set(self.bucket, fault)

    def stop(self):
        st.stop(self.site.realtime, self.arn)
        return rec.wait_until_ended(self.site.s3, self.bucket, self.prefix)

    def document(self, name):
        keys = rec.list_keys(self.site.s3, self.bucket, f"{self.prefix}/events/")
        return next((key for key in keys if key.endswith(name)), None)

    def download(self, folder):
        return rec.download(self.site.s3, self.bucket, self.prefix, folder / self.bucket)

    def assert_whole(self, folder, tail_sounds=FRAME_SOUNDS):
        """It decodes without a complaint, every frame is there once, and nothing of it is missing."""
        recording = self.download(folder)
        frames = recording.assert_whole(FPS, SEGMENT_S, tail_sounds)
        assert recording.decode_errors() == ""
        assert recording.decoded_frames() == frames
        return frames
