"""The AWS CLI through the documented walk: stage, token, configurations, channel, composition, and everything deleted."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from support.server import wait_for

CALL_LIMIT_S = 30
# The CLI's exit status when the service refuses.
REFUSED = 255


@pytest.fixture
def aws(server, tmp_path):
    """Runs one command; answers its document, or the failed process where `fails`."""

    def run(service, operation, *options, fails=False):
        endpoint = server.s3 if service in ("s3", "s3api") else server.http
        clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        done = subprocess.run(
            [pathlib.Path(sys.executable).with_name("aws"), service, operation, *options,
             "--endpoint-url", endpoint, "--region", "us-east-1", "--output", "json"],
            capture_output=True, text=True, timeout=CALL_LIMIT_S, stdin=subprocess.DEVNULL,
            env={**clean, "HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "PROSCENIUMDEV",
                 "AWS_SECRET_ACCESS_KEY": "proscenium-development-secret", "AWS_MAX_ATTEMPTS": "1", "AWS_PAGER": ""})
        if fails:
            return done
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout

    return run


def test_the_documented_walk_from_stage_to_recording(server, aws):
    def rt(*words, **more):
        return aws("ivs-realtime", *words, **more)

    stage = rt("create-stage", "--name", "walk")["stage"]["arn"]
    token = rt("create-participant-token", "--stage-arn", stage, "--user-id", "ada", "--attributes", "role=host")
    publisher = server.publish(token["participantToken"]["token"], "--size", "320x180", "--fps", "15",
                               "--bitrate", "200000")
    try:
        encoder = rt("create-encoder-configuration", "--name", "small", "--video",
                     "height=180,width=320,framerate=15,bitrate=200000")["encoderConfiguration"]["arn"]
        aws("s3api", "create-bucket", "--bucket", "walk-through")
        storage = rt("create-storage-configuration", "--name", "recordings", "--s3", "bucketName=walk-through")
        storage = storage["storageConfiguration"]["arn"]
        channel = aws("ivs", "create-channel", "--name", "walk")["channel"]["arn"]
        destinations = [
            {"channel": {"channelArn": channel, "encoderConfigurationArn": encoder}},
            {"s3": {"storageConfigurationArn": storage, "encoderConfigurationArns": [encoder]}},
        ]
        started = rt("start-composition", "--stage-arn", stage, "--destinations", json.dumps(destinations),
                     "--layout", "grid={gridGap=8}")["composition"]
        assert started["state"] == "STARTING" and started["layout"]["grid"]["gridGap"] == 8
        walk_the_composition(aws, rt, stage, channel, started)
    finally:
        publisher.stop()
    delete_everything(aws, rt, stage, channel, encoder, storage)


def walk_the_composition(aws, rt, stage, channel, started):
    arn = started["arn"]

    def states():
        found = rt("get-composition", "--arn", arn)["composition"]
        return {found["state"], *(destination["state"] for destination in found["destinations"])}

    wait_for("an ACTIVE composition", lambda: states() == {"ACTIVE"}, 30)
    listed = rt("list-compositions", "--filter-by-stage-arn", stage)["compositions"]
    assert [one["arn"] for one in listed] == [arn]
    # The stream is live a little after the composition is ACTIVE: when its first segments can be played.
    streams = wait_for("a live stream", lambda: aws("ivs", "list-streams")["streams"], 30)
    assert [stream["channelArn"] for stream in streams] == [channel]
    assert aws("ivs", "get-stream", "--channel-arn", channel)["stream"]["state"] == "LIVE"
    rt("tag-resource", "--resource-arn", arn, "--tags", "team=stage")
    assert rt("list-tags-for-resource", "--resource-arn", arn)["tags"] == {"team": "stage"}
    prefix = next(d["detail"]["s3"]["recordingPrefix"] for d in started["destinations"] if "detail" in d)
    rt("stop-composition", "--arn", arn)
    wait_for("a STOPPED composition", lambda: states() == {"STOPPED"}, 30)
    keys = aws("s3", "ls", "--recursive", f"s3://walk-through/{prefix}/")
    assert "events/recording-ended.json" in keys and "media/hls/multivariant.m3u8" in keys


def delete_everything(aws, rt, stage, channel, encoder, storage):
    rt("delete-stage", "--arn", stage)
    rt("delete-encoder-configuration", "--arn", encoder)
    rt("delete-storage-configuration", "--arn", storage)
    aws("ivs", "delete-channel", "--arn", channel)
    gone = rt("get-stage", "--arn", stage, fails=True)
    assert gone.returncode == REFUSED and "ResourceNotFoundException" in gone.stderr and stage in gone.stderr
