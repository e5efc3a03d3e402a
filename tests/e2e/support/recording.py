"""Fetches a recording from S3 and looks at it as a player would."""

import json
import pathlib
import subprocess

import numpy as np

from .server import wait_for

FRAME_WIDTH, FRAME_HEIGHT = 640, 360
SAMPLE_RATE = 48_000
AAC_STEP_90K = 1920  # 1024 samples at 48 kHz


def list_keys(s3, bucket, prefix):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def segment_count(s3, bucket, prefix):
    return sum(key.endswith(".ts") for key in list_keys(s3, bucket, prefix))


def wait_until_ended(s3, bucket, prefix, limit_s=30):
    key = f"{prefix}/events/recording-ended.json"
    wait_for(key, lambda: key in list_keys(s3, bucket, prefix), limit_s)
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def download(s3, bucket, prefix, folder: pathlib.Path):
    for key in list_keys(s3, bucket, prefix):
        path = folder / key.removeprefix(prefix).lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(path))
    return Recording(folder)


class Recording:
    """A downloaded recording."""

    def __init__(self, folder):
        self.folder = folder
        self.multivariant = folder / "media/hls/multivariant.m3u8"
        variants = [l for l in self.multivariant.read_text().splitlines() if l and l[0] != "#"]
        assert len(variants) == 1, variants
        self.playlist = folder / "media/hls" / variants[0]
        self.lines = self.playlist.read_text().splitlines()

    @property
    def segments(self):
        return [l for l in self.lines if l and not l.startswith("#")]

    @property
    def durations(self):
        return [float(l[8:].split(",")[0]) for l in self.lines if l.startswith("#EXTINF:")]

    def joined(self):
        """A file with all segments, one after the other."""
        joined = self.folder / "joined.ts"
        if not joined.exists():
            with open(joined, "wb") as out:
                for segment in self.segments:
                    out.write((self.playlist.parent / segment).read_bytes())
        return joined

    def packets(self, stream):
        """(pts in 90 kHz ticks, flags) of each packet, in file order over all segments."""
        probe = subprocess.run(
            ["ffprobe", "-v", "error", "-select_streams", stream, "-show_entries",
             "packet=pts,flags", "-of", "json", self.joined()],
            check=True, capture_output=True, text=True,
        )
        return [(int(p["pts"]), p["flags"]) for p in json.loads(probe.stdout)["packets"]]

    def streams(self):
        probe = subprocess.run(
            ["ffprobe", "-v", "error", "-show_streams", "-of", "json", self.multivariant],
            check=True, capture_output=True, text=True,
        )
        return json.loads(probe.stdout)["streams"]

    def decode_errors(self):
        """What ffmpeg complains about when it decodes everything."""
        run = subprocess.run(
            ["ffmpeg", "-v", "warning", "-i", self.multivariant, "-f", "null", "-"],
            capture_output=True, text=True,
        )
        return run.stderr.strip()

    def decoded_frames(self):
        """How many pictures a decoder makes of it."""
        probe = subprocess.run(
            ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries",
             "stream=nb_read_frames", "-of", "csv=p=0", self.joined()],
            check=True, capture_output=True, text=True,
        )
        return int(probe.stdout.split()[0])

    def frames(self):
        """All pictures, scaled to 640x360 RGB: array of shape (n, 360, 640, 3)."""
        raw = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", self.multivariant, "-an", "-fps_mode", "passthrough",
             "-vf", f"scale={FRAME_WIDTH}:{FRAME_HEIGHT}", "-pix_fmt", "rgb24", "-f", "rawvideo", "-"],
            check=True, capture_output=True,
        ).stdout
        return np.frombuffer(raw, np.uint8).reshape(-1, FRAME_HEIGHT, FRAME_WIDTH, 3)

    def sound(self):
        """All samples, mono, -1 to 1, from PTS zero of the recording on."""
        return sound_of(self.multivariant)

    def assert_whole(self, fps=30, segment_s=2, tail_sounds=2):
        """The playlist is closed, EXTINF sums match, the frame grid is exact and the sound has no gap.

        Sound and picture may end `tail_sounds` AAC frames apart.
        """
        assert self.lines[0] == "#EXTM3U"
        assert "#EXT-X-PLAYLIST-TYPE:VOD" in self.lines and self.lines[-1] == "#EXT-X-ENDLIST"
        assert not any("PROGRAM-DATE-TIME" in line for line in self.lines)
        assert self.segments == [f"{i}.ts" for i in range(len(self.segments))]
        video, audio = self.packets("v:0"), self.packets("a:0")
        steps = {b[0] - a[0] for a, b in zip(video, video[1:])}
        assert steps == {90_000 // fps}, f"frame grid: steps {steps}"
        gaps = {b[0] - a[0] for a, b in zip(audio, audio[1:])}
        assert gaps == {AAC_STEP_90K}, f"audio: steps {gaps}"
        assert abs(sum(self.durations) - len(video) / fps) < 1e-3
        keyframes = [i for i, (_, flags) in enumerate(video) if flags.startswith("K")]
        assert set(range(0, len(video), segment_s * fps)) <= set(keyframes)
        assert abs(len(audio) * AAC_STEP_90K - len(video) * 90_000 / fps) <= tail_sounds * AAC_STEP_90K
        assert abs(video[0][0] - audio[0][0]) <= AAC_STEP_90K
        return len(video)


def small_pictures(playlist):
    """Every picture of a playlist, grey and small enough to keep many: array of shape (n, 90, 160)."""
    width, height = 160, 90
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", playlist, "-an", "-fps_mode", "passthrough",
         "-vf", f"scale={width}:{height}:flags=area", "-pix_fmt", "gray", "-f", "rawvideo", "-"],
        check=True, capture_output=True,
    ).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width).astype(np.int16)


def sound_of(playlist):
    """All samples of a playlist, mono, -1 to 1, from PTS zero of the recording on."""
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", playlist, "-vn", "-ac", "1", "-ar",
         str(SAMPLE_RATE), "-f", "f32le", "-"],
        check=True, capture_output=True,
    ).stdout
    return np.frombuffer(raw, np.float32)


def rgb(color):
    """Red, green and blue of `rrggbb`."""
    return [int(color[i:i + 2], 16) for i in (0, 2, 4)]


def mean_color(frame, x, y, size=6):
    """Mean RGB around a point given in fractions of the picture."""
    column, row = int(x * FRAME_WIDTH), int(y * FRAME_HEIGHT)
    patch = frame[row - size:row + size, column - size:column + size]
    return patch.reshape(-1, 3).mean(axis=0)


def near(color, wanted, tolerance=40):
    return all(abs(a - b) <= tolerance for a, b in zip(color, wanted))


def spans(on, step_s):
    """Where `on` begins and ends being true, in seconds: array of shape (n, 2), whole spans only."""
    starts, ends = (np.flatnonzero(on[1:] & ~on[:-1]) + 1, np.flatnonzero(~on[1:] & on[:-1]) + 1)
    if len(starts) and len(ends):
        ends = ends[ends > starts[0]]
    whole = min(len(starts), len(ends))
    return np.stack([starts[:whole], ends[:whole]], axis=1) * step_s


def flashes(frames, x, y, fps=30):
    """When the point is white: array of shape (n, 2), seconds."""
    brightness = np.array([mean_color(f, x, y, 2).min() for f in frames])
    return spans(brightness > 180, 1 / fps)


def beeps(sound, hz):
    """When a tone of `hz` is loud, where its level rises and falls steepest, in steps of 2 ms: shape (n, 2), seconds."""
    hop, window = SAMPLE_RATE // 500, SAMPLE_RATE // 50
    t = np.arange(len(sound)) / SAMPLE_RATE
    mixed = sound * np.exp(-2j * np.pi * hz * t)
    level = np.abs(np.convolve(mixed, np.hanning(window) / window, mode="same"))[::hop]
    return spans(level > level.max() / 2, hop / SAMPLE_RATE)


def pair_offsets(flashes, beeps, own=0, within=0.5):
    """Beep minus flash for each flash that has a beep near it, less the source's `own` offset, in seconds.

    Each is told by its better edge, beginning or end: the other may have been in a packet that was lost.
    """
    offsets = []
    for flash in flashes:
        if len(beeps):
            edges = min(beeps, key=lambda beep: abs(beep[0] - flash[0])) - flash - own
            offsets.append(min(edges, key=abs))
    return np.array([offset for offset in offsets if abs(offset) < within])
