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


class Interrupted(Exception):
    """Ctrl-C or SIGTERM."""


def say(word, value):
    print(f"{word}: {value}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=0, help="0: until Ctrl-C")
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    binary = binary_path()
    server = Process([binary, "serve", "--data-dir", ROOT / "data"], log=ROOT / "data-demo.log", own_group=True)
    publishers = []
    try:
        endpoints = json.loads(server.line_with("READY ", READY_LIMIT_S))
        run(binary, endpoints, publishers, arguments.seconds)
    except Interrupted:
        pass
    finally:
        for process in [*publishers, server]:
            process.stop()


def interrupt(*_):
    raise Interrupted


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
            log=ROOT / "data-demo.log", own_group=True,
        ))
    for publisher in publishers:
        publisher.line_with("PUBLISHING ", PUBLISH_LIMIT_S)
    composition = start(realtime, ivs, s3, stage["arn"])
    prefix = next(d["detail"]["s3"]["recordingPrefix"] for d in composition["destinations"] if "detail" in d)
    say("recording", f"s3://{BUCKET}/{prefix}")
    say("state", composition["state"])
    try:
        follow(realtime, composition, seconds)
    except Interrupted:
        pass
    finish(realtime, composition["arn"])
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


def follow(realtime, composition, seconds):
    state, end = composition["state"], time.monotonic() + seconds
    while seconds == 0 or time.monotonic() < end:
        now = realtime.get_composition(arn=composition["arn"])["composition"]["state"]
        if now != state:
            state = now
            say("state", state)
        if state in ("STOPPED", "FAILED"):
            return
        time.sleep(0.25)


def finish(realtime, arn):
    realtime.stop_composition(arn=arn)
    last = []

    def ended():
        state = realtime.get_composition(arn=arn)["composition"]["state"]
        if last[-1:] != [state]:
            last.append(state)
            say("state", state)
        return state in ("STOPPED", "FAILED")

    wait_for("end of the composition", ended, STOP_LIMIT_S)


def report(url):
    say("plays at", url)
    probe = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries",
         "stream=codec_name,width,height,r_frame_rate,sample_rate,channels:format=duration", "-of", "compact", url],
        capture_output=True, text=True,
    )
    for line in (probe.stdout + probe.stderr).splitlines():
        say("ffprobe", line)


if __name__ == "__main__":
    main()
