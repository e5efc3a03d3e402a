"""A valid input for every operation."""

from conformance.model import operation, public_key, sample
from conformance.world import AD_SERVER
from support import stage as st

TAGS = {"team": "stage"}
RECORDING_OFF = {"storageConfigurationArn": ""}
GRID = {"grid": {"gridGap": 4, "videoAspectRatio": "AUTO", "videoFillMode": "COVER"}}


def _session(w):
    return {"stageArn": w.busy_stage, "sessionId": w.session}


def _participant(w):
    return {**_session(w), "participantId": w.participant}


# Full calls, which must succeed: what the SDK sends when an application uses everything.
CALLS = {
    "CreateEncoderConfiguration": lambda w: {
        "name": "e", "video": {"width": 640, "height": 360, "framerate": 29.97, "bitrate": 900_000}, "tags": TAGS},
    "CreateIngestConfiguration": lambda w: {
        "name": "i", "stageArn": w.stage, "userId": "camera", "attributes": {"a": "b"}, "ingestProtocol": "RTMPS",
        "tags": TAGS},
    "CreateParticipantToken": lambda w: {
        "stageArn": w.stage, "duration": 60, "userId": "ada", "attributes": {"role": "host"},
        "capabilities": ["PUBLISH"]},
    "CreateStage": lambda w: {
        "name": "s", "participantTokenConfigurations": [{"userId": "ada", "attributes": {"a": "b"}}, {}],
        "tags": TAGS, "autoParticipantRecordingConfiguration": RECORDING_OFF},
    "CreateStorageConfiguration": lambda w: {"name": "st", "s3": {"bucketName": w.bucket}, "tags": TAGS},
    "DeleteEncoderConfiguration": lambda w: {"arn": w.new_encoder()},
    "DeleteIngestConfiguration": lambda w: {"arn": w.new_ingest(), "force": True},
    "DeletePublicKey": lambda w: {"arn": w.new_public_key()},
    "DeleteStage": lambda w: {"arn": w.new_stage()},
    "DeleteStorageConfiguration": lambda w: {"arn": w.new_storage()},
    "DisconnectParticipant": lambda w: {
        "stageArn": w.stage, "participantId": st.token(w.realtime, w.stage, "guest")["participantId"], "reason": "late"},
    "GetComposition": lambda w: {"arn": w.composition},
    "GetEncoderConfiguration": lambda w: {"arn": w.encoder},
    "GetIngestConfiguration": lambda w: {"arn": w.ingest},
    "GetParticipant": _participant,
    "GetPublicKey": lambda w: {"arn": w.public_key},
    "GetStage": lambda w: {"arn": w.busy_stage},
    "GetStageSession": _session,
    "GetStorageConfiguration": lambda w: {"arn": w.storage},
    "ImportPublicKey": lambda w: {"publicKeyMaterial": public_key(), "name": "k", "tags": TAGS},
    "ListCompositions": lambda w: {
        "filterByStageArn": st.composition(w.realtime, w.composition)["stageArn"], "maxResults": 10},
    "ListEncoderConfigurations": lambda w: {"maxResults": 10},
    "ListIngestConfigurations": lambda w: {"filterByState": "INACTIVE", "maxResults": 10},
    "ListParticipantEvents": lambda w: {**_participant(w), "maxResults": 10},
    "ListParticipantReplicas": lambda w: {
        "sourceStageArn": w.replication["sourceStageArn"], "participantId": w.participant, "maxResults": 10},
    "ListParticipants": lambda w: {**_session(w), "filterByPublished": True, "maxResults": 10},
    "ListPublicKeys": lambda w: {"maxResults": 10},
    "ListStageSessions": lambda w: {"stageArn": _session(w)["stageArn"], "maxResults": 10},
    "ListStages": lambda w: {"maxResults": 10},
    "ListStorageConfigurations": lambda w: {"maxResults": 10},
    "RevokeConnectionToken": lambda w: {"tokenId": "token-1"},
    "StartComposition": lambda w: {
        "stageArn": w.stage, "idempotencyToken": "once", "layout": GRID, "tags": TAGS,
        "destinations": [
            st.to_channel(w.channel, w.encoder),
            st.to_s3(w.storage, w.encoder, thumbnailConfigurations=[{"targetIntervalSeconds": 5, "storage": ["LATEST"]}],
                     recordingConfiguration={"format": "HLS", "hlsConfiguration": {"targetSegmentDurationSeconds": 4}}),
        ]},
    "StartParticipantReplication": lambda w: {
        "sourceStageArn": w.busy_stage, "destinationStageArn": w.new_stage(), "participantId": w.participant,
        "reconnectWindowSeconds": 10, "attributes": {"from": "elsewhere"}},
    "StopComposition": lambda w: {"arn": w.doomed_composition},
    "StopParticipantReplication": lambda w: w.replication,
    "UpdateIngestConfiguration": lambda w: {"arn": w.ingest, "stageArn": w.stage},
    "UpdateStage": lambda w: {"arn": w.stage, "name": "renamed", "autoParticipantRecordingConfiguration": RECORDING_OFF},
    "BatchGetChannel": lambda w: {"arns": [w.channel, ABSENT_CHANNEL]},
    "BatchGetStreamKey": lambda w: {"arns": [w.stream_key, ABSENT_CHANNEL.replace("channel", "stream-key")]},
    "BatchStartViewerSessionRevocation": lambda w: {
        "viewerSessions": [{"channelArn": c, "viewerId": "eve", "viewerSessionVersionsLessThanOrEqualTo": 2}
                           for c in (w.channel, ABSENT_CHANNEL)]},
    "CreateAdConfiguration": lambda w: {
        "name": "a", "mediaTailorPlaybackConfigurations": [{"playbackConfigurationArn": AD_SERVER}],
        "postRollConfiguration": {"enabled": True, "durationSeconds": 30}, "tags": TAGS},
    "CreateChannel": lambda w: {
        "name": "c", "latencyMode": "NORMAL", "type": "STANDARD", "authorized": False, "insecureIngest": True,
        "recordingConfigurationArn": w.recording_configuration, "playbackRestrictionPolicyArn": w.policy,
        "adConfigurationArn": w.ad_configuration, "failoverSlateConfigurationArn": w.slate,
        "containerFormat": "TS", "tags": TAGS},
    "CreateFailoverSlateConfiguration": lambda w: {
        "name": "f", "activationThresholdSeconds": 4, "minSlateDisplaySeconds": 5, "maxSlateDisplaySeconds": 90,
        "tags": TAGS},
    "CreatePlaybackRestrictionPolicy": lambda w: {
        "name": "p", "allowedCountries": ["CH", "DE"], "allowedOrigins": ["https://*.example.com"],
        "enableStrictOriginEnforcement": True, "tags": TAGS},
    "CreateRecordingConfiguration": lambda w: {
        "name": "r", "destinationConfiguration": {"s3": {"bucketName": w.bucket}}, "recordingReconnectWindowSeconds": 30,
        "thumbnailConfiguration": {"recordingMode": "INTERVAL", "targetIntervalSeconds": 30, "storage": ["LATEST"]},
        "renditionConfiguration": {"renditionSelection": "CUSTOM", "renditions": ["HD"]}, "tags": TAGS},
    "CreateStreamKey": lambda w: {"channelArn": w.keyless_channel(), "tags": TAGS},
    "DeleteAdConfiguration": lambda w: {"arn": w.new_ad_configuration()},
    "DeleteChannel": lambda w: {"arn": w.new_channel()[0]},
    "DeleteFailoverSlateConfiguration": lambda w: {"arn": w.new_slate()},
    "DeletePlaybackKeyPair": lambda w: {"arn": w.new_key_pair()},
    "DeletePlaybackRestrictionPolicy": lambda w: {"arn": w.new_policy()},
    "DeleteRecordingConfiguration": lambda w: {"arn": w.new_recording_configuration()},
    "DeleteStreamKey": lambda w: {"arn": w.new_channel()[1]["arn"]},
    "GetAdConfiguration": lambda w: {"arn": w.ad_configuration},
    "GetChannel": lambda w: {"arn": w.channel},
    "GetFailoverSlateConfiguration": lambda w: {"arn": w.slate},
    "GetPlaybackKeyPair": lambda w: {"arn": w.key_pair},
    "GetPlaybackRestrictionPolicy": lambda w: {"arn": w.policy},
    "GetRecordingConfiguration": lambda w: {"arn": w.recording_configuration},
    "GetStream": lambda w: {"channelArn": w.live_channel},
    "GetStreamKey": lambda w: {"arn": w.stream_key},
    "GetStreamSession": lambda w: {"channelArn": w.live_channel},
    "ImportPlaybackKeyPair": lambda w: {"publicKeyMaterial": public_key(), "name": "k", "tags": TAGS},
    "InsertAdBreak": lambda w: {"channelArn": w.live_channel, "durationSeconds": 5},
    "ListAdConfigurations": lambda w: {"maxResults": 10},
    "ListChannels": lambda w: {"filterByName": "conformance", "maxResults": 10},
    "ListFailoverSlateConfigurations": lambda w: {"maxResults": 10},
    "ListPlaybackKeyPairs": lambda w: {"maxResults": 10},
    "ListPlaybackRestrictionPolicies": lambda w: {"maxResults": 10},
    "ListRecordingConfigurations": lambda w: {"maxResults": 10},
    "ListStreamKeys": lambda w: {"channelArn": w.channel, "maxResults": 10},
    "ListStreamSessions": lambda w: {"channelArn": w.live_channel, "maxResults": 10},
    "ListStreams": lambda w: w.live_channel and {"filterBy": {"health": "HEALTHY"}, "maxResults": 10},
    "PutMetadata": lambda w: {"channelArn": w.live_channel, "metadata": '{"question": 1}'},
    "StartViewerSessionRevocation": lambda w: {
        "channelArn": w.channel, "viewerId": "eve", "viewerSessionVersionsLessThanOrEqualTo": 1},
    "StopStream": lambda w: {"channelArn": w.live_channel},
    "UpdateAdConfiguration": lambda w: {
        "arn": w.ad_configuration, "name": "ads-2", "postRollConfiguration": {"enabled": False, "durationSeconds": 15}},
    "UpdateChannel": lambda w: {
        "arn": w.channel, "name": "conformance", "latencyMode": "LOW", "type": "BASIC", "authorized": False,
        "recordingConfigurationArn": "", "playbackRestrictionPolicyArn": ""},
    "UpdateFailoverSlateConfiguration": lambda w: {"arn": w.slate, "name": "slate-2", "maxSlateDisplaySeconds": 120},
    "UpdatePlaybackRestrictionPolicy": lambda w: {"arn": w.policy, "name": "policy-2", "allowedOrigins": []},
}

ABSENT_CHANNEL = "arn:aws:ivs:us-east-1:123456789012:channel/absent"

# Calls that see what the first one cannot: an end.
SECOND_CALLS = {
    "GetComposition": lambda w: {"arn": w.ended_composition},
    "ListCompositions": lambda w: w.ended_composition and {},
}

# The tag operations of both services have the same names.
TAG_CALLS = {
    "ListTagsForResource": lambda arn: {"resourceArn": arn},
    "TagResource": lambda arn: {"resourceArn": arn, "tags": {"a": "1", "b": "2"}},
    "UntagResource": lambda arn: {"resourceArn": arn, "tagKeys": ["a"]},
}

# Where the required members alone are no valid input.
BASES = {
    "CreateIngestConfiguration": lambda w: {"ingestProtocol": "RTMPS", "insecureIngest": True},
    "CreateParticipantToken": lambda w: {"stageArn": w.stage},
    "CreateRecordingConfiguration": lambda w: {"destinationConfiguration": {"s3": {"bucketName": w.bucket}}},
    "CreateStorageConfiguration": lambda w: {"s3": {"bucketName": w.bucket}},
    "ListStageSessions": lambda w: {"stageArn": w.stage},
    "ListStreamKeys": lambda w: {"channelArn": w.channel},
    "ListStreamSessions": lambda w: {"channelArn": w.channel},
    "StartViewerSessionRevocation": lambda w: {"channelArn": w.channel, "viewerId": "eve"},
    "StartParticipantReplication": lambda w: {
        "sourceStageArn": ABSENT_CHANNEL.replace("channel/absent", "stage/source"),
        "destinationStageArn": ABSENT_CHANNEL.replace("channel", "stage")},
    "UpdateAdConfiguration": lambda w: {"arn": w.ad_configuration},
    "UpdateChannel": lambda w: {"arn": w.new_channel()[0]},
    "UpdateFailoverSlateConfiguration": lambda w: {"arn": w.slate},
    "UpdateIngestConfiguration": lambda w: {"arn": w.ingest},
    "UpdatePlaybackRestrictionPolicy": lambda w: {"arn": w.policy},
    "UpdateStage": lambda w: {"arn": w.stage},
}

# What the model does not say that a structure needs.
KNOWN = {
    "ivs-realtime": {
        "Video": {"width": 64, "height": 64},
        "DestinationConfiguration": (
            {"channel": {"channelArn": ABSENT_CHANNEL}},
            {"s3": {"storageConfigurationArn": ABSENT_CHANNEL.replace("channel", "storage-configuration"),
                    "encoderConfigurationArns": [ABSENT_CHANNEL.replace("channel", "encoder-configuration")]}},
        ),
    },
    "ivs": {
        "DestinationConfiguration": {"s3": {"bucketName": "conformance"}},
        "ThumbnailConfiguration": {"recordingMode": "INTERVAL", "targetIntervalSeconds": 30},
        "MediaTailorPlaybackConfiguration": {"playbackConfigurationArn": AD_SERVER},
        "DestinationConfiguration": {"s3": {"bucketName": "there-is-no-such-bucket"}},
        "MultitrackInputConfiguration": {"policy": "ALLOW", "maximumResolution": "FULL_HD"},
        "PlaybackRestrictionPolicyAllowedCountry": "CH",
    },
}

# What a member needs beside it.
BESIDE = {
    name: {
        "preset": {"type": "ADVANCED_HD"},
        "multitrackInputConfiguration": {"type": "STANDARD", "containerFormat": "FRAGMENTED_MP4"},
        "adConfigurationArn": {"containerFormat": "TS", "multitrackInputConfiguration": {"enabled": False}},
    }
    for name in ("CreateChannel", "UpdateChannel")
}

# What a value needs beside it in its structure; None is absence.
FITTING = {
    ("recordingMode", "DISABLED"): {"targetIntervalSeconds": None},
    ("renditionSelection", "CUSTOM"): {"renditions": ["HD"]},
}

# Operations that make something, where its ARN is, and what deletes it.
MADE = {
    "CreateEncoderConfiguration": ("encoderConfiguration", "DeleteEncoderConfiguration"),
    "CreateIngestConfiguration": ("ingestConfiguration", "DeleteIngestConfiguration"),
    "CreateStage": ("stage", "DeleteStage"),
    "CreateStorageConfiguration": ("storageConfiguration", "DeleteStorageConfiguration"),
    "ImportPublicKey": ("publicKey", "DeletePublicKey"),
    "CreateAdConfiguration": ("adConfiguration", "DeleteAdConfiguration"),
    "CreateChannel": ("channel", "DeleteChannel"),
    "CreateFailoverSlateConfiguration": ("failoverSlateConfiguration", "DeleteFailoverSlateConfiguration"),
    "CreatePlaybackRestrictionPolicy": ("playbackRestrictionPolicy", "DeletePlaybackRestrictionPolicy"),
    "CreateRecordingConfiguration": ("recordingConfiguration", "DeleteRecordingConfiguration"),
    "ImportPlaybackKeyPair": ("keyPair", "DeletePlaybackKeyPair"),
}


def call_input(service, name, world):
    """The full call of an operation."""
    if name in TAG_CALLS:
        return TAG_CALLS[name](world.stage if service == "ivs-realtime" else world.channel)
    return CALLS[name](world)


def base_input(service, name, world):
    """The smallest valid input of an operation, and whether it leads to things that are there."""
    shape = operation(service, name).input_shape
    smallest = sample(shape, 0, KNOWN[service])
    if name in TAG_CALLS:
        smallest = {**smallest, **({"tagKeys": ["a"]} if name == "UntagResource" else {})}
        return {**smallest, "resourceArn": call_input(service, name, world)["resourceArn"]}, True
    if name in BASES:
        return {**smallest, **BASES[name](world)}, name != "StartParticipantReplication"
    return smallest, not shape.required_members or name in MADE
