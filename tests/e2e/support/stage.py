"""The AWS calls of a typical composition."""

import uuid

from .server import wait_for

ENCODER = {"width": 1280, "height": 720, "framerate": 30.0, "bitrate": 2_500_000}


def token(realtime, stage_arn, user_id, attributes=None, capabilities=("PUBLISH", "SUBSCRIBE")):
    made = realtime.create_participant_token(
        stageArn=stage_arn, userId=user_id, attributes=attributes or {}, capabilities=list(capabilities)
    )
    return made["participantToken"]


def make_stage(realtime):
    return realtime.create_stage(name="test")["stage"]["arn"]


def make_encoder(realtime, **video):
    made = realtime.create_encoder_configuration(video={**ENCODER, **video})
    return made["encoderConfiguration"]["arn"]


def make_storage(realtime, s3, bucket=None):
    bucket = bucket or f"bucket-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    made = realtime.create_storage_configuration(s3={"bucketName": bucket})
    return made["storageConfiguration"]["arn"], bucket


def to_s3(storage, encoder, **more):
    return {"s3": {"storageConfigurationArn": storage, "encoderConfigurationArns": [encoder], **more}}


def to_channel(channel, encoder):
    return {"channel": {"channelArn": channel, "encoderConfigurationArn": encoder}}


def start(realtime, stage, *destinations, **layout):
    arguments = {"layout": layout} if layout else {}
    made = realtime.start_composition(stageArn=stage, destinations=list(destinations), **arguments)
    return made["composition"]


def composition(realtime, arn):
    return realtime.get_composition(arn=arn)["composition"]


def wait_for_state(realtime, arn, *states, limit_s=30):
    def reached():
        state = composition(realtime, arn)["state"]
        return state if state in states else None

    return wait_for(f"composition in {states}", reached, limit_s)


def wait_all_active(realtime, arn, limit_s=15):
    def active():
        found = composition(realtime, arn)
        return found if all(d["state"] == "ACTIVE" for d in found["destinations"]) else None

    return wait_for("all destinations ACTIVE", active, limit_s)


def stop(realtime, arn, limit_s=40):
    realtime.stop_composition(arn=arn)
    assert wait_for_state(realtime, arn, "STOPPED", "FAILED", limit_s=limit_s) == "STOPPED"
    return composition(realtime, arn)


def prefix_of(composition):
    return next(d["detail"]["s3"]["recordingPrefix"] for d in composition["destinations"] if "detail" in d)
