"""From a picture's making to the composed frame that shows it, on disk: a time code burnt into the published picture.

aiortc publishes; its encoding and sending are in the figures. A composed frame counts as made when its access unit lies in the
recording's spool.
"""

import asyncio
import pathlib
import struct
import subprocess
import tempfile
import time

import numpy as np
from aiortc import RTCPeerConnection
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from av import VideoFrame

import world
from support import stage as st
from support.peer import exchange
from support.server import Server

WIDTH, HEIGHT = 640, 360
BITS = 20
BLOCK = WIDTH // BITS
COMPOSITION_DELAY_MS = 200
POLL_S = 0.001
# `recorder/src/spool/units.rs`: kind, number, later, length, checksum; kinds 0 and 1 are pictures.
HEADER = struct.Struct("<BQIII")
PICTURES = (0, 1)


def now_ms():
    return time.monotonic_ns() // 1_000_000


class Clock(VideoStreamTrack):
    """The time in milliseconds, as black and white blocks."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        picture = np.full((HEIGHT, WIDTH), 128, np.uint8)
        made = now_ms()
        for bit in range(BITS):
            picture[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 255 if made >> bit & 1 else 0
        frame = VideoFrame.from_ndarray(np.repeat(picture[:, :, None], 3, 2), format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class Spool:
    """Reads the units of a recording as they are written."""

    def __init__(self, folder):
        self.folder = folder
        self.files = {}
        self.pictures = []

    def poll(self):
        for path in self.folder.glob("**/open/*.units"):
            if path not in self.files:
                self.files[path] = [path.open("rb"), b""]
        arrived = now_ms()
        for path in sorted(self.files, key=lambda path: int(path.stem)):
            file, rest = self.files[path]
            rest += file.read()
            while len(rest) >= HEADER.size:
                kind, _, _, length, _ = HEADER.unpack_from(rest)
                end = HEADER.size + length
                if len(rest) < end:
                    break
                if kind in PICTURES:
                    self.pictures.append((arrived, rest[HEADER.size : end]))
                rest = rest[end:]
            self.files[path][1] = rest


def times_shown(pictures):
    """The time code of each frame of an H.264 stream."""
    decoded = subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "h264", "-i", "-", "-f", "rawvideo", "-pix_fmt", "gray", "-"],
        input=b"".join(pictures), check=True, capture_output=True,
    ).stdout
    frames = np.frombuffer(decoded, np.uint8).reshape(-1, HEIGHT, WIDTH)
    assert len(frames) == len(pictures), (len(frames), len(pictures))
    middle = BLOCK // 2
    bits = frames[:, middle, middle::BLOCK] > 127
    return (bits.astype(np.int64) << np.arange(BITS)).sum(axis=1)


async def measured(server, realtime, s3, seconds):
    stage = st.make_stage(realtime)
    storage, _ = st.make_storage(realtime, s3)
    encoder = st.make_encoder(realtime, width=WIDTH, height=HEIGHT, bitrate=1_500_000)
    guest = st.token(realtime, stage, "clock")
    connection = RTCPeerConnection()
    connection.addTransceiver(AudioStreamTrack(), direction="sendonly")
    connection.addTransceiver(Clock(), direction="sendonly")
    await exchange(connection, server.whip, guest["token"])
    started = await asyncio.to_thread(st.start, realtime, stage, st.to_s3(storage, encoder))
    await asyncio.to_thread(st.wait_all_active, realtime, started["arn"])
    spool = Spool(server.data_dir)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        spool.poll()
        await asyncio.sleep(POLL_S)
    await asyncio.to_thread(st.stop, realtime, started["arn"])
    await connection.close()
    return spool.pictures


def main():
    parser = world.arguments(__doc__)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with Server(options.proscenium or world.built(), pathlib.Path(folder) / "server") as server:
            clients = (world.client("ivs-realtime", server.http), world.client("s3", server.s3))
            pictures = asyncio.run(measured(server, *clients, options.seconds))
    arrived = np.array([came for came, _ in pictures])
    shown = times_shown([data for _, data in pictures])
    # Repeated frames show an old picture; a picture is as late as the first frame that shows it.
    first = np.flatnonzero(np.diff(shown, prepend=-1))
    late = (arrived[first] - shown[first]) % (1 << BITS) - COMPOSITION_DELAY_MS
    # What lay in the spool before the first look was not seen coming.
    late = late[arrived[first] > arrived[0]]
    world.head("pictures", "p50 above the delay, ms", "p95", "p99", "worst")
    world.row(len(late), *(f"{value:.0f}" for value in np.percentile(late, [50, 95, 99, 100])))


if __name__ == "__main__":
    main()
