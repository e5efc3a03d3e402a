"""What decoding costs with each decoder that is installed, one thread, and whether their pictures are equal."""

import argparse
import hashlib
import pathlib
import statistics
import subprocess
import tempfile

import pictures
import world

# So many times as long is the longer of two runs, whose difference counts.
LONGER = 5
SIZES = {"720p": "1280:720", "360p": "640:360", "180p": "320:180"}
# As browsers code: no look-ahead, no B-frames, a keyframe now and then.
ENCODERS = {
    "H.264": ("libx264", "-profile:v", "baseline", "-preset", "veryfast", "-tune", "zerolatency"),
    "H.264 high": ("libx264", "-profile:v", "high", "-preset", "veryfast", "-tune", "zerolatency"),
    "VP8": ("libvpx", "-deadline", "realtime", "-cpu-used", "-6", "-lag-in-frames", "0", "-auto-alt-ref", "0"),
    "VP9": ("libvpx-vp9", "-deadline", "realtime", "-cpu-used", "7", "-lag-in-frames", "0", "-auto-alt-ref", "0"),
}
KBPS = {"720p": 1500, "360p": 500, "180p": 150}
# The first of each is the peer. Settings as in compositor/src/codec/video.rs.
DECODERS = {
    "H.264": ("avdec_h264 max-threads=1 std-compliance=normal output-corrupt=false", "openh264dec"),
    "VP8": ("vp8dec threads=1", "avdec_vp8 max-threads=1 output-corrupt=false"),
    "VP9": ("vp9dec threads=1", "avdec_vp9 max-threads=1 output-corrupt=false"),
}
DECODERS["H.264 high"] = DECODERS["H.264"]
PARSERS = {
    "H.264": "h264parse ! video/x-h264,stream-format=byte-stream,alignment=au",
    "VP8": "identity",
    "VP9": "identity",
}
PARSERS["H.264 high"] = PARSERS["H.264"]


def coded(camera, codec, size, path):
    rate = f"{KBPS[size]}k"
    pictures.ffmpeg(
        "-t", pictures.SECONDS, "-i", camera, "-vf", f"scale={SIZES[size]}:flags=area", "-an", "-c:v", *ENCODERS[codec],
        "-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-g", 300, "-threads", 1, path)
    return path


def launch(path, codec, rest):
    return ["gst-launch-1.0", "-q", "filesrc", f"location={path}", "!", "matroskademux", "!",
            *PARSERS[codec].split(), "!", *rest.split()]


def hash_of(path, codec, decoder):
    """Of all pictures without padding, and how many bytes they are."""
    rest = f"{decoder} ! videoconvert n-threads=1 ! video/x-raw,format=I420 ! filesink location=/dev/stdout"
    child = subprocess.Popen(launch(path, codec, rest), stdout=subprocess.PIPE)
    digest, length = hashlib.sha256(), 0
    while chunk := child.stdout.read(1 << 20):
        digest.update(chunk)
        length += len(chunk)
    assert child.wait() == 0
    return length, digest.hexdigest()


def measure(short, codec, decoders, rounds):
    """Milliseconds per frame of each decoder, and its ratios to the first."""
    long = short.with_name("long.mkv")
    pictures.ffmpeg("-stream_loop", LONGER - 1, "-i", short, "-c", "copy", long)

    def cost(rest):
        """What loading and starting cost is in both runs."""
        runs = [pictures.cpu_of(launch(path, codec, rest)) for path in (long, short)]
        return (runs[0] - runs[1]) * 1000 / (pictures.FPS * pictures.SECONDS * (LONGER - 1))

    costs, ratios = {name: [] for name in decoders}, {name: [] for name in decoders}
    for _ in range(rounds):
        feeding = cost("fakesink sync=false")
        for name in decoders:
            # It takes padded rows, as the worker does.
            costs[name].append(cost(f"{name} ! fakevideosink sync=false") - feeding)
        for name in decoders:
            ratios[name].append(costs[name][-1] / costs[decoders[0]][-1])
    return {name: (statistics.median(costs[name]), statistics.median(ratios[name])) for name in decoders}


def installed(decoder):
    return subprocess.run(["gst-inspect-1.0", "--exists", decoder.split()[0]], check=False).returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path, help="where the camera is kept; by default it is not")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        folder = pathlib.Path(folder)
        camera = pictures.cameras(options.folder or folder, 1)[0]
        world.head("stream", "decoder", "ms per frame", "/ peer", "pictures")
        for codec, decoders in DECODERS.items():
            decoders = [name for name in decoders if installed(name)]
            for size in SIZES:
                path = coded(camera, codec, size, folder / "coded.mkv")
                expected = hash_of(path, codec, decoders[0])
                figures = measure(path, codec, decoders, options.rounds)
                for name, (cost, ratio) in figures.items():
                    equal = "equal" if hash_of(path, codec, name) == expected else "differ"
                    world.row(f"{codec} {size}", name.split()[0], f"{cost:.2f}", f"{ratio:.2f}", equal)


if __name__ == "__main__":
    main()
