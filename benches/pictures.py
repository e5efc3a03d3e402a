"""Pictures as of cameras and slides, and compositions of them, as raw I420 files; and what coding them costs."""

import os
import subprocess

FPS = 30
SECONDS = 5
# Textures that move. Sensors add noise, hands shake, and what arrives was coded once.
SHAKE = "crop=1280:720:x='60+50*sin(n/23)':y='60+40*sin(n/31)'"
SENSOR = "noise=alls=6:allf=t:all_seed=7"
CAMERAS = (
    f"mandelbrot=s=1400x840:r={FPS}:maxiter=300:start_scale=2:end_scale=0.2,{SHAKE},{SENSOR}",
    f"sierpinski=s=1280x720:r={FPS}:seed=5:jump=40,boxblur=2,{SENSOR}",
    f"gradients=s=1400x840:r={FPS}:n=8:speed=0.02:seed=3,{SHAKE},{SENSOR}",
    f"life=s=350x210:r={FPS}:seed=9:ratio=0.3:mold=40:life_color=#d0a080:death_color=#405870:mold_color=#203040,"
    f"scale=1400:840:flags=bicubic,boxblur=3,{SHAKE},{SENSOR}",
    f"testsrc2=s=1400x840:r={FPS},boxblur=2,{SHAKE},{SENSOR}",
    f"cellauto=s=350x210:r={FPS}:seed=4:rule=110:scroll=1,scale=1400:840:flags=bicubic,boxblur=3,{SHAKE},{SENSOR}",
)
CAMERA_CODING = ("-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-b:v", "1500k", "-maxrate", "1500k",
                 "-bufsize", "1500k", "-threads", "1")
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
# The second slide comes in the middle.
SLIDES = (
    f"color=c=0xf4f4f0:s=1280x720:r={FPS}",
    *(f"drawtext=fontfile={FONT}:fontsize={36 if line else 64}:fontcolor=0x202040:x=80:y={60 + 70 * line}:"
      f"text='{text}':enable='{when}'"
      for when, texts in (
          (f"lt(n,{FPS * SECONDS // 2})", ("What was measured", "Twelve cameras of 720 lines, one picture of them",
                                           "Processor time of whole processes", "Ratios to a peer in the same run")),
          (f"gte(n,{FPS * SECONDS // 2})", ("What it says", "A core composes more people than a room holds",
                                            "The encoder is what is left", "Simulcast beats any tuning", "Thank you")),
      )
      for line, text in enumerate(texts)),
)


def ffmpeg(*arguments):
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)], check=True)


def cpu_of(command, **how):
    """User and system seconds of a command, from its start to its end."""
    child = subprocess.Popen([str(word) for word in command], **how)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return usage.ru_utime + usage.ru_stime


def cameras(folder, count=len(CAMERAS)):
    """720p as it arrives from `count` cameras."""
    paths = [folder / f"camera{index}.mkv" for index in range(count)]
    for path, source in zip(paths, CAMERAS):
        if not path.exists():
            ffmpeg("-f", "lavfi", "-i", source, "-t", SECONDS, "-pix_fmt", "yuv420p", *CAMERA_CODING, path)
    return paths


def composition(inputs, columns, rows, size, path):
    """A grid of `inputs`, from the first on again until it is full, those mirrored and from another time."""
    width, height = size[0] // columns // 2 * 2, size[1] // rows // 2 * 2
    arguments, filters = [], []
    fit = f"{width - 2}:{height - 2}:force_original_aspect_ratio=decrease:force_divisible_by=2:flags=area"
    for tile in range(columns * rows):
        again = tile // len(inputs)
        arguments += ["-stream_loop", -1, "-ss", again * 3, "-i", inputs[tile % len(inputs)]]
        filters.append(
            f"[{tile}:v]fps={FPS},scale={fit},setsar=1,pad={width}:{height}:-1:-1"
            f"{',hflip' if again % 2 else ''}[t{tile}]")
    places = "|".join(f"{x * width}_{y * height}" for y in range(rows) for x in range(columns))
    tiles = "".join(f"[t{tile}]" for tile in range(columns * rows))
    stack = f"{tiles}xstack=inputs={columns * rows}:layout={places}" if columns * rows > 1 else f"{tiles}null"
    filters.append(f"{stack},pad={size[0]}:{size[1]},format=yuv420p[all]")
    ffmpeg(*arguments, "-filter_complex", ";".join(filters), "-map", "[all]", "-t", SECONDS, "-f", "rawvideo", path)
    return path


def slides(camera, path):
    """Slides that stand still, with one camera in the corner."""
    ffmpeg("-f", "lavfi", "-i", ",".join(SLIDES), "-i", camera, "-filter_complex",
           "[1:v]scale=320:180:flags=area,setsar=1[c];[0:v][c]overlay=940:520,format=yuv420p[all]",
           "-map", "[all]", "-t", SECONDS, "-f", "rawvideo", path)
    return path
