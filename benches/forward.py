"""CPU of the server per subscriber, with one 720p publisher; the peer encrypts and sends as many packets by GStreamer."""

import json
import pathlib
import statistics
import subprocess
import tempfile
import time
import urllib.request

import world
from support import stage
from support.server import Server

SUBSCRIBERS = (0, 1, 4, 16, 64)
SETTLE_S = 3
BITRATE = 2_500_000
FPS = 30
# RTP header (12) and the header of one line of raw video (8).
PACKET_OVERHEAD_BYTES = 20


class Subscribers:
    """`subscribe N` and its sessions."""

    def __init__(self, program, whip, publisher, tokens):
        self.child = subprocess.Popen(
            [program, str(len(tokens))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for token in tokens:
            offer = json.loads(self.child.stdout.readline())
            request = urllib.request.Request(
                f"{whip}/subscribe/{publisher}", offer.encode(),
                {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"})
            with urllib.request.urlopen(request, timeout=10) as response:
                answer = response.read().decode()
            self.child.stdin.write(f"{json.dumps(answer)}\n")
            self.child.stdin.flush()
            line = self.child.stdout.readline().strip()
            assert line == "CONNECTED", line

    def arrived(self):
        self.child.stdin.write("count\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())

    def close(self):
        self.child.stdin.close()
        self.child.wait(10)


def rate(pid, seconds, arrived):
    """CPU seconds per second of a process, and packets and bits per second that arrived meanwhile."""
    before, counted, started = world.cpu_seconds(pid), arrived(), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - started
    now = arrived()
    cpu = (world.cpu_seconds(pid) - before) / took
    return cpu, (now["packets"] - counted["packets"]) / took, (now["bytes"] - counted["bytes"]) * 8 / took


def server_rate(server, realtime, stage_arn, publisher_id, program, count, seconds):
    tokens = [stage.token(realtime, stage_arn, f"viewer{i}")["token"] for i in range(count)]
    if not tokens:
        time.sleep(SETTLE_S)
        return rate(server.child.pid, seconds, lambda: {"packets": 0, "bytes": 0})
    subscribers = Subscribers(program, server.whip, publisher_id, tokens)
    try:
        time.sleep(SETTLE_S)
        return rate(server.child.pid, seconds, subscribers.arrived)
    finally:
        subscribers.close()


def peer_rate(count, seconds, packets_per_s, bits_per_s):
    """Packets of the same size and number from one process, encrypted and sent once for each subscriber."""
    # Raw pictures cost next to nothing to make: I420 has 12 bits per pixel, and this is twice as wide as tall.
    height = max(4, round((bits_per_s / FPS / 12 / 2) ** 0.5 / 2) * 2)
    mtu = round(bits_per_s / 8 / packets_per_s) + PACKET_OVERHEAD_BYTES
    text = (
        f"videotestsrc is-live=true ! video/x-raw,format=I420,width={2 * height},height={height},framerate={FPS}/1 ! "
        f"rtpvrawpay mtu={mtu} ! tee name=t allow-not-linked=true"
    )
    for index in range(count):
        # What both ends of the real connection agree on: AES-128-GCM.
        text += (
            f" srtpenc name=e{index} random-key=true rtp-cipher=aes-128-gcm rtp-auth=null "
            f"t. ! e{index}.rtp_sink_0 e{index}.rtp_src_0 ! udpsink host=127.0.0.1 port=9 sync=false async=false"
        )
    child = subprocess.Popen(["gst-launch-1.0", "-q", *text.split()])
    try:
        time.sleep(SETTLE_S)
        assert child.poll() is None, text
        return rate(child.pid, seconds, lambda: {"packets": 0, "bytes": 0})[0]
    finally:
        child.terminate()
        child.wait(10)


def slope(points):
    """Least squares: what one subscriber more costs."""
    return statistics.linear_regression([n for n, _ in points], [cpu for _, cpu in points]).slope


def noisy_file(folder, seconds):
    """Pictures with enough noise to fill the bit rate, and a tone."""
    path = folder / "noisy.mkv"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s=1280x720:r={FPS},noise=alls=12:allf=t",
         "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", str(seconds),
         "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "8M", "-c:a", "libopus", path],
        check=True)
    return path


def measure(server, folder, program, seconds, subscribers):
    realtime = world.client("ivs-realtime", server.http)
    stage_arn = stage.make_stage(realtime)
    alice = stage.token(realtime, stage_arn, "alice")
    file = noisy_file(folder, len(subscribers) * (SETTLE_S + seconds + 3) + 10)
    publisher = server.publish(alice["token"], "--bitrate", str(BITRATE), "--fps", str(FPS), "--file", file)
    try:
        return [
            (count, *server_rate(
                server, realtime, stage_arn, alice["participantId"], program, count, seconds))
            for count in subscribers
        ]
    finally:
        publisher.stop()


def main():
    parser = world.arguments(__doc__)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--subscribe", type=pathlib.Path, required=True, help="the `subscribe` bench program")
    parser.add_argument("--subscribers", type=int, nargs="+", default=SUBSCRIBERS, help="how many, in turn")
    options = parser.parse_args()
    binary = options.proscenium or world.built()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with Server(binary, folder) as server:
            measured = measure(server, folder, options.subscribe, options.seconds, options.subscribers)
    *_, (most, _, packets, bits) = measured
    packets, bits = packets / most, bits / most
    peers = [(count, peer_rate(count, options.seconds, packets, bits)) for count in options.subscribers]
    print(f"each subscriber got {packets:.0f} packets/s, {bits / 1e6:.2f} Mb/s\n")
    world.head("subscribers", "server ms/s", "GStreamer ms/s", "packets/s to all")
    for (count, cpu, arrived, _), (_, peer) in zip(measured, peers):
        world.row(count, f"{cpu * 1000:.1f}", f"{peer * 1000:.1f}", f"{arrived:.0f}")
    ours, peer = slope([(count, cpu) for count, cpu, *_ in measured]), slope(peers)
    print(f"\nper subscriber: {ours * 1000:.2f} ms/s, {ours / packets * 1e6:.1f} us per packet; "
          f"GStreamer {peer * 1000:.2f} ms/s; ratio {ours / peer:.2f}")


if __name__ == "__main__":
    main()
