"""The demo, written as a user of the AWS SDK would: a server, four publishers, one composition to a channel and to S3."""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import time

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).resolve().parents[1]
LOG = ROOT / "data-demo.log"
sys.path.insert(0, str(ROOT / "tests/e2e"))

from support.server import Process, wait_for  # noqa: E402

BUCKET = "proscenium-demo"
PEOPLE = [
    # name, colour, tone in Hz, options
    ("Ada", "b03a48", 440, ["--codec", "h264", "--size", "1280x720", "--bitrate", "2000000"]),
    ("Blaise", "2f7d4f", 554, ["--codec", "vp8", "--size", "640x360", "--bitrate", "700000"]),
    ("Chien-Shiung", "2a5fa8", 659, ["--codec", "h264", "--size", "640x360", "--bitrate", "700000"]),
    ("Dorothy", "8a6a1f", 880, ["--codec", "vp8", "--size", "640x360", "--bitrate", "700000"]),
]
READY_LIMIT_S = 30
PUBLISH_LIMIT_S = 20
STOP_LIMIT_S = 70
LOG_LINES_SHOWN = 5
ENDED = ("STOPPED", "FAILED")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):
    """Ctrl-C, SIGTERM or a closed terminal."""


def say(word, value):
    print(f"{word}: {value}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=0, help="0: until Ctrl-C")
    arguments = parser.parse_args()
    handle_signals(interrupt)
    binary = binary_path()
    logged = LOG.stat().st_size if LOG.exists() else 0
    server = Process([binary, "serve", "--data-dir", ROOT / "data"], log=LOG, own_group=True)
    publishers = []
    try:
        endpoints = json.loads(server.line_with("READY ", READY_LIMIT_S))
        run(binary, endpoints, publishers, arguments.seconds)
    except Interrupted:
        pass
    except Exception as problem:
        sys.exit(explain(problem, logged))
    finally:
        # However often Ctrl-C is pressed, no process stays behind.
        handle_signals(signal.SIG_IGN)
        stop([*publishers, server])


def handle_signals(handler):
    for number in SIGNALS:
        signal.signal(number, handler)


def interrupt(*_):
    raise Interrupted


def explain(problem, logged):
    """What went wrong, and the last that was logged after the first `logged` bytes."""
    lines = LOG.read_bytes()[logged:].decode(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    return "\n  ".join([f"demo: {problem}; the end of {LOG.name}:", *lines])


def stop(processes):
    for process in processes:
        try:
            process.stop()
        except subprocess.TimeoutExpired as late:
            print(f"demo: killed what did not end: {late}", file=sys.stderr)


def binary_path():
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"], check=True, capture_output=True, cwd=ROOT
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"]) / "debug/proscenium"


def client(name, endpoint):
    return boto3.client(
        name, endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="PROSCENIUMDEV",
        aws_secret_access_key="proscenium-development-secret",
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )


def run(binary, endpoints, publishers, seconds):
    realtime, ivs = client("ivs-realtime", endpoints["http"]), client("ivs", endpoints["http"])
    s3 = client("s3", endpoints["s3"])
    say("page", endpoints["page"])
    stage = realtime.create_stage(name="demo")["stage"]
    for name, color, tone, options in PEOPLE:
        attributes = {"featured": "true"} if name == "Ada" else {}
        token = realtime.create_participant_token(stageArn=stage["arn"], userId=name, attributes=attributes)
        publishers.append(Process(
            [binary, "publish", "--whip", stage["endpoints"]["whip"], "--token",
             token["participantToken"]["token"], "--name", name, "--color", color, "--tone", tone, *options],
            log=LOG, own_group=True,
        ))
    for publisher in publishers:
        publisher.line_with("PUBLISHING ", PUBLISH_LIMIT_S)
    composition = start(realtime, ivs, s3, stage["arn"])
    prefix = next(d["detail"]["s3"]["recordingPrefix"] for d in composition["destinations"] if "detail" in d)
    say("recording", f"s3://{BUCKET}/{prefix}")
    state = State(realtime, composition)
    try:
        wait(state, seconds)
    except Interrupted:
        pass
    finish(realtime, state)
    report(f"{endpoints['s3']}/{BUCKET}/{prefix}/media/hls/multivariant.m3u8")


def start(realtime, ivs, s3, stage):
    if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
    storage = own(realtime.list_storage_configurations()["storageConfigurations"],
                  lambda: realtime.create_storage_configuration(name="demo", s3={"bucketName": BUCKET})["storageConfiguration"])
    encoder = own(realtime.list_encoder_configurations()["encoderConfigurations"],
                  lambda: realtime.create_encoder_configuration(name="demo")["encoderConfiguration"])
    channel = ivs.create_channel(name="demo")["channel"]
    say("live", channel["playbackUrl"])
    return realtime.start_composition(
        stageArn=stage,
        layout={"grid": {"featuredParticipantAttribute": "featured"}},
        destinations=[
            {"channel": {"channelArn": channel["arn"], "encoderConfigurationArn": encoder}},
            {"s3": {"storageConfigurationArn": storage, "encoderConfigurationArns": [encoder]}},
        ],
    )["composition"]


def own(existing, make):
    """The resource named demo: the one that an earlier demo made, or a new one."""
    return next((item["arn"] for item in existing if item.get("name") == "demo"), None) or make()["arn"]


class State:
    """The state of a composition, said whenever it changes."""

    def __init__(self, realtime, composition):
        self._realtime, self.arn = realtime, composition["arn"]
        self._set(composition["state"])

    def _set(self, value):
        self.value = value
        say("state", value)

    def ended(self):
        now = self._realtime.get_composition(arn=self.arn)["composition"]["state"]
        if now != self.value:
            self._set(now)
        return now in ENDED


def wait(state, seconds):
    end = time.monotonic() + seconds
    while not state.ended() and (seconds == 0 or time.monotonic() < end):
        time.sleep(0.25)


def finish(realtime, state):
    if not state.ended():
        realtime.stop_composition(arn=state.arn)
    wait_for("end of the composition", state.ended, STOP_LIMIT_S)
    if state.value == "FAILED":
        raise RuntimeError("the composition failed")


def report(url):
    say("plays at", url)
    say("later", "make run serves it again")
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries",
         "stream=codec_name,width,height,r_frame_rate,sample_rate,channels:format=duration", "-of", "json", url],
        capture_output=True, text=True,
    )
    for line in probe.stderr.splitlines():
        say("ffprobe", line)
    found = json.loads(probe.stdout or "{}")
    for part in [*found.get("streams", []), found.get("format", {})]:
        say("ffprobe", " ".join(f"{name}={value}" for name, value in part.items() if value != "0/0"))


if __name__ == "__main__":
    main()
