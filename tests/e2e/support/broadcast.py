"""ffmpeg as a broadcaster."""

import contextlib

from .server import Process


@contextlib.contextmanager
def broadcast(server, key, size="320x180", rate=15):
    """Sends a test picture in real time."""
    process = Process([
        "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}",
        "-f", "lavfi", "-i", "sine=sample_rate=48000", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
        "-g", str(rate), "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "flv", f"{server.rtmp}/{key}",
    ])
    try:
        yield process
    finally:
        process.stop()
