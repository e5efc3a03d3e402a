"""The resources that the model knows: how each is made, read, listed, changed and deleted."""

import dataclasses

from conformance.model import public_key

AD_SERVER = "arn:aws:mediatailor:us-east-1:123456789012:playbackConfiguration/ads"


@dataclasses.dataclass(frozen=True)
class Kind:
    """`service` and `noun` give the operations; `member` is what Get answers, `members` what List answers. `renames`
    says that Update takes a name. `channel_member` is where a channel refers to one."""

    service: str
    noun: str
    member: str
    members: str
    quota: int
    create: str = ""
    renames: bool = False
    channel_member: str = ""
    required: object = dict

    def call(self, verb, plural=""):
        return f"{verb}_{self.noun}{plural}"


def _key():
    return {"publicKeyMaterial": public_key()}


def _ads():
    return {"mediaTailorPlaybackConfigurations": [{"playbackConfigurationArn": AD_SERVER}]}


KINDS = {
    "stages": Kind("ivs-realtime", "stage", "stage", "stages", 6, renames=True),
    "encoder_configurations": Kind(
        "ivs-realtime", "encoder_configuration", "encoderConfiguration", "encoderConfigurations", 3),
    "ingest_configurations": Kind(
        "ivs-realtime", "ingest_configuration", "ingestConfiguration", "ingestConfigurations", 3,
        required=lambda: {"ingestProtocol": "RTMPS"}),
    "public_keys": Kind(
        "ivs-realtime", "public_key", "publicKey", "publicKeys", 3, create="import_public_key", required=_key),
    "channels": Kind("ivs", "channel", "channel", "channels", 6, renames=True),
    "playback_key_pairs": Kind(
        "ivs", "playback_key_pair", "keyPair", "keyPairs", 3, create="import_playback_key_pair", required=_key),
    "playback_restriction_policies": Kind(
        "ivs", "playback_restriction_policy", "playbackRestrictionPolicy", "playbackRestrictionPolicies", 3,
        renames=True, channel_member="playbackRestrictionPolicyArn"),
    "ad_configurations": Kind(
        "ivs", "ad_configuration", "adConfiguration", "adConfigurations", 3, renames=True,
        channel_member="adConfigurationArn", required=_ads),
    "failover_slate_configurations": Kind(
        "ivs", "failover_slate_configuration", "failoverSlateConfiguration", "failoverSlateConfigurations", 3,
        renames=True, channel_member="failoverSlateConfigurationArn"),
}
PLURALS = {"playback_restriction_policy": "list_playback_restriction_policies"}


def create_call(kind):
    return kind.create or kind.call("create")


def list_call(kind):
    return PLURALS.get(kind.noun) or kind.call("list", "s")
