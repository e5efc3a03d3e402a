"""What x264's settings cost and how true their pictures are, at equal bit rate."""

import argparse
import pathlib
import re
import statistics
import subprocess
import tempfile
import typing

import pictures
import world

KEY_FRAMES = 60
FRAMES = pictures.FPS * pictures.SECONDS
# Beside which every other row stands, and at whose bit rate.
PEER = "veryfast"
# More than this is no equal bit rate.
KBPS_TOLERANCE = 0.002
AIMS_MAX = 4


class Settings(typing.NamedTuple):
    """By default the peer's."""

    preset: str = "veryfast"
    options: str = ""
    threads: int = 1
    vbv_ms: int = 1000


CANDIDATES = {
    PEER: Settings(),
    # What the worker has.
    "worker": Settings(options="aq-strength=0.5"),
    **{preset: Settings(preset) for preset in ("ultrafast", "superfast", "faster")},
    **{f"veryfast, {options.replace(':', ', ')}": Settings(options=options) for options in (
        "aq-mode=0", "aq-mode=2", "me=dia:aq-strength=0.5", "subme=1:aq-strength=0.5", "weightp=0:aq-strength=0.5")},
    **{f"superfast, {options.replace(':', ', ')}": Settings("superfast", options) for options in (
        "aq-strength=0.5", "subme=2", "subme=2:aq-strength=0.5")},
    **{f"worker, {threads} slices": Settings(options="aq-strength=0.5", threads=threads) for threads in (2, 4)},
    **{f"worker, VBV {vbv_ms} ms": Settings(options="aq-strength=0.5", vbv_ms=vbv_ms) for vbv_ms in (500, 2000)},
}


def source(scene, size):
    return ["filesrc", f"location={scene}", f"blocksize={size[0] * size[1] * 3 // 2}", "!", "rawvideoparse",
            "format=i420", f"width={size[0]}", f"height={size[1]}", f"framerate={pictures.FPS}/1", "!"]


def encoder(kbps, settings):
    """As compositor/src/codec/h264.rs has it, but with IDR pictures by count, because nobody asks for them."""
    fixed = f"scenecut=0:open-gop=0:keyint={KEY_FRAMES}:min-keyint={KEY_FRAMES}"
    return ["x264enc", "tune=zerolatency", f"speed-preset={settings.preset}", f"threads={settings.threads}",
            "bframes=0", "byte-stream=true", "aud=false", f"bitrate={kbps}", f"vbv-buf-capacity={settings.vbv_ms}",
            f"key-int-max={KEY_FRAMES}", f"option-string={':'.join(filter(None, (fixed, settings.options)))}", "!",
            "video/x-h264,stream-format=byte-stream,alignment=au", "!"]


def launch(*elements):
    return pictures.cpu_of(["gst-launch-1.0", "-q", *elements], stdout=subprocess.DEVNULL)


def source_cost(scene, size):
    return launch(*source(scene, size), "fakesink", "sync=false")


def encode(scene, size, settings, coded):
    return launch(*source(scene, size), *settings, "filesink", f"location={coded}")


def check_frames(coded):
    """Bytes of each frame; every frame was answered, and IDR pictures are where they belong."""
    listed = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "packet=size,flags", "-of", "csv=p=0", coded],
        check=True, capture_output=True, text=True).stdout.split()
    frames = [line.split(",")[:2] for line in listed]
    assert len(frames) == FRAMES, (coded, len(frames))
    keys = [index for index, (_, flags) in enumerate(frames) if flags.startswith("K")]
    assert keys == list(range(0, FRAMES, KEY_FRAMES)), (coded, keys)
    return [int(size) for size, _ in frames]


def quality(scene, size, coded):
    """SSIM and PSNR, over all planes and frames."""
    raw = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{size[0]}x{size[1]}", "-r", str(pictures.FPS)]
    said = subprocess.run(
        ["ffmpeg", "-nostdin", "-hide_banner", "-r", str(pictures.FPS), "-i", coded, *raw, "-i", scene, "-lavfi",
         "[0:v]split[a][b];[1:v]split[c][d];[a][c]ssim;[b][d]psnr", "-f", "null", "-"],
        check=True, capture_output=True, text=True).stderr
    return float(re.search(r"SSIM .*All:([\d.]+)", said)[1]), float(re.search(r"PSNR .*average:([\d.]+)", said)[1])


class Measured:
    """One candidate on one scene."""

    def __init__(self, scene, size, settings, kbps):
        self.scene, self.size, self.settings, self.kbps = scene, size, settings, kbps
        self.cpu, self.made_kbps = [], None

    def run(self, coded, idle):
        cpu = encode(self.scene, self.size, encoder(self.kbps, self.settings), coded) - idle
        self.cpu.append(cpu * 1000 / pictures.SECONDS)

    def judge(self, coded, peer):
        """Frames and pictures of a run, at as many bits as the peer made, if that can be had."""
        for _ in range(AIMS_MAX):
            encode(self.scene, self.size, encoder(self.kbps, self.settings), coded)
            frames = check_frames(coded)
            self.made_kbps, self.biggest = sum(frames) * 8 / 1000 / pictures.SECONDS, max(frames)
            if peer is self or abs(self.made_kbps / peer.made_kbps - 1) < KBPS_TOLERANCE:
                break
            self.kbps = round(self.kbps * peer.made_kbps / self.made_kbps)
        self.ssim, self.psnr = quality(self.scene, self.size, coded)


def compare(scenes, size, kbps, candidates, rounds, coded):
    """All candidates on all scenes, and their ratios to the peer, by the median of the rounds."""
    made = {name: {scene: Measured(path, size, settings, kbps) for scene, path in scenes.items()}
            for name, settings in candidates.items()}
    ratios = {name: {scene: [] for scene in scenes} for name in candidates}
    for scene, path in scenes.items():
        for name in candidates:
            made[name][scene].judge(coded, made[PEER][scene])
        for _ in range(rounds):
            idle = source_cost(path, size)
            for name in candidates:
                made[name][scene].run(coded, idle)
            for name in candidates:
                ratios[name][scene].append(made[name][scene].cpu[-1] / made[PEER][scene].cpu[-1])
    return made, {name: statistics.median(statistics.median(of[scene]) for scene in scenes)
                  for name, of in ratios.items()}


def report(scenes, made, ratios):
    names = ", ".join(scenes)
    world.head("settings", f"ms/s ({names})", "CPU / veryfast", f"SSIM ({names})", "SSIM - veryfast, 1e-4",
               "PSNR - veryfast, dB", "kb/s", "biggest frame, kB")
    for name, of in made.items():
        peers = made[PEER]
        world.row(
            name, ", ".join(f"{statistics.median(of[scene].cpu):.0f}" for scene in scenes), f"{ratios[name]:.2f}",
            ", ".join(f"{of[scene].ssim:.4f}" for scene in scenes),
            ", ".join(f"{(of[scene].ssim - peers[scene].ssim) * 1e4:+.0f}" for scene in scenes),
            ", ".join(f"{of[scene].psnr - peers[scene].psnr:+.2f}" for scene in scenes),
            ", ".join(f"{of[scene].made_kbps:.0f}" for scene in scenes),
            f"{max(of[scene].biggest for scene in scenes) / 1000:.0f}")


def make_scenes(folder, size, films):
    cameras = pictures.cameras(folder)
    scenes = {
        "1": pictures.composition(cameras[3:4], 1, 1, size, folder / f"1-{size[1]}.yuv"),
        "4": pictures.composition(cameras, 2, 2, size, folder / f"4-{size[1]}.yuv"),
        "12": pictures.composition(cameras, 4, 3, size, folder / f"12-{size[1]}.yuv"),
    }
    if size == (1280, 720):
        scenes["slides"] = pictures.slides(cameras[2], folder / "slides.yuv")
    if films:
        scenes["films"] = pictures.composition(films, 2, 2, size, folder / f"films-{size[1]}.yuv")
    return scenes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kbps", type=int, default=2500)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--only", help="names of candidates to compare with veryfast, a regular expression")
    parser.add_argument("--films", type=pathlib.Path, nargs="*", help="files for one more scene of four tiles")
    parser.add_argument("--folder", type=pathlib.Path, help="where the scenes are kept; by default they are not")
    options = parser.parse_args()
    size = tuple(map(int, options.size.split("x")))
    chosen = {name: settings for name, settings in CANDIDATES.items()
              if name == PEER or re.search(options.only or "", name)}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as passing:
        scenes = make_scenes(options.folder or pathlib.Path(passing), size, options.films)
        coded = pathlib.Path(passing) / "coded.h264"
        made, ratios = compare(scenes, size, options.kbps, chosen, options.rounds, coded)
    report(scenes, made, ratios)


if __name__ == "__main__":
    main()
