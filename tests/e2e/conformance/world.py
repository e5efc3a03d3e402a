"""Real resources, media included, made when they are first asked for."""

import functools
import subprocess
import uuid

from conformance.model import public_key
from support import stage as st
from support.server import wait_for

MEDIA_LIMIT_S = 30
SMALL = {"width": 320, "height": 180, "framerate": 15.0, "bitrate": 200_000}


class World:
    """A server, a client for each service, and what they made."""

    def __init__(self, server, realtime, ivs, s3):
        self.server, self.realtime, self.ivs, self.s3 = server, realtime, ivs, s3
        self._children = []

    def close(self):
        for child in self._children:
            child.kill()
            child.wait()

    def client(self, service):
        return {"ivs-realtime": self.realtime, "ivs": self.ivs}[service]

    # IVS Real-Time

    def new_stage(self, **more):
        return self.realtime.create_stage(name="conformance", **more)["stage"]["arn"]

    @functools.cached_property
    def stage(self):
        """A stage that nobody joins."""
        return self.new_stage()

    @functools.cached_property
    def busy_stage(self):
        return self.new_stage()

    @functools.cached_property
    def participant(self):
        """The id of a participant who publishes to `busy_stage`."""
        made = st.token(self.realtime, self.busy_stage, "ada", {"role": "host"})
        publisher = self.server.publish(made["token"], "--size", "320x180", "--fps", "15", "--bitrate", "200000")
        self._children.append(publisher.child)
        return made["participantId"]

    @functools.cached_property
    def session(self):
        """The id of the session in which `participant` publishes."""
        assert self.participant
        stage = {"arn": self.busy_stage}
        return wait_for("a stage session", lambda: self.realtime.get_stage(**stage)["stage"].get("activeSessionId"),
                        MEDIA_LIMIT_S)

    def new_encoder(self, **video):
        made = self.realtime.create_encoder_configuration(name="small", video={**SMALL, **video})
        return made["encoderConfiguration"]["arn"]

    @functools.cached_property
    def encoder(self):
        return self.new_encoder()

    def new_bucket(self):
        bucket = f"conformance-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=bucket)
        return bucket

    @functools.cached_property
    def bucket(self):
        return self.new_bucket()

    def new_storage(self):
        made = self.realtime.create_storage_configuration(name="storage", s3={"bucketName": self.bucket})
        return made["storageConfiguration"]["arn"]

    @functools.cached_property
    def storage(self):
        return self.new_storage()

    @functools.cached_property
    def composition(self):
        assert self.participant
        started = st.start(self.realtime, self.busy_stage, st.to_s3(self.storage, self.encoder))
        st.wait_for_state(self.realtime, started["arn"], "ACTIVE")
        return started["arn"]

    @functools.cached_property
    def doomed_composition(self):
        """A composition to stop."""
        return st.start(self.realtime, self.stage, st.to_s3(self.storage, self.encoder))["arn"]

    @functools.cached_property
    def ended_composition(self):
        """A composition of both destinations that was stopped."""
        channel, _ = self.new_channel()
        destinations = [st.to_channel(channel, self.encoder), st.to_s3(self.storage, self.encoder)]
        started = st.start(self.realtime, self.stage, *destinations)
        st.wait_all_active(self.realtime, started["arn"])
        st.stop(self.realtime, started["arn"])
        return started["arn"]

    def new_public_key(self):
        return self.realtime.import_public_key(publicKeyMaterial=public_key(), name="key")["publicKey"]["arn"]

    @functools.cached_property
    def public_key(self):
        return self.new_public_key()

    def new_ingest(self):
        made = self.realtime.create_ingest_configuration(
            name="ingest", ingestProtocol="RTMP", insecureIngest=True, userId="camera", attributes={"a": "b"})
        return made["ingestConfiguration"]["arn"]

    @functools.cached_property
    def ingest(self):
        return self.new_ingest()

    @functools.cached_property
    def replication(self):
        """The input that names a running replication."""
        assert self.session
        ids = {"sourceStageArn": self.busy_stage, "destinationStageArn": self.stage, "participantId": self.participant}
        self.realtime.start_participant_replication(**ids)
        return ids

    # IVS

    def new_channel(self, **more):
        made = self.ivs.create_channel(name="conformance", **more)
        return made["channel"]["arn"], made["streamKey"]

    @functools.cached_property
    def _idle_channel(self):
        return self.new_channel()

    @property
    def channel(self):
        """A channel that nobody broadcasts to."""
        return self._idle_channel[0]

    @property
    def stream_key(self):
        return self._idle_channel[1]["arn"]

    def keyless_channel(self):
        """A channel whose stream key is deleted."""
        channel, key = self.new_channel()
        self.ivs.delete_stream_key(arn=key["arn"])
        return channel

    @functools.cached_property
    def live_channel(self):
        """A channel with everything attached, broadcast to over RTMP."""
        channel, key = self.new_channel(
            recordingConfigurationArn=self.recording_configuration, adConfigurationArn=self.ad_configuration,
            failoverSlateConfigurationArn=self.slate, insecureIngest=True)
        self._children.append(subprocess.Popen([
            "ffmpeg", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15",
            "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-c:v", "libx264", "-preset", "ultrafast",
            "-g", "15", "-b:v", "200k", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k",
            "-f", "flv", f"{self.server.rtmp}/{key['value']}",
        ], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

        def live():
            return channel in [stream["channelArn"] for stream in self.ivs.list_streams()["streams"]]

        wait_for("a live channel", live, MEDIA_LIMIT_S)
        return channel

    def new_recording_configuration(self):
        made = self.ivs.create_recording_configuration(
            name="recording", destinationConfiguration={"s3": {"bucketName": self.bucket}})
        return made["recordingConfiguration"]["arn"]

    @functools.cached_property
    def recording_configuration(self):
        arn = self.new_recording_configuration()

        def active():
            return self.ivs.get_recording_configuration(arn=arn)["recordingConfiguration"]["state"] == "ACTIVE"

        wait_for("an ACTIVE recording configuration", active, MEDIA_LIMIT_S)
        return arn

    def new_ad_configuration(self):
        made = self.ivs.create_ad_configuration(
            name="ads", mediaTailorPlaybackConfigurations=[{"playbackConfigurationArn": AD_SERVER}])
        return made["adConfiguration"]["arn"]

    @functools.cached_property
    def ad_configuration(self):
        return self.new_ad_configuration()

    def new_slate(self):
        return self.ivs.create_failover_slate_configuration(name="slate")["failoverSlateConfiguration"]["arn"]

    @functools.cached_property
    def slate(self):
        return self.new_slate()

    def new_policy(self):
        made = self.ivs.create_playback_restriction_policy(
            name="policy", allowedCountries=["CH"], allowedOrigins=["https://example.com"])
        return made["playbackRestrictionPolicy"]["arn"]

    @functools.cached_property
    def policy(self):
        return self.new_policy()

    def new_key_pair(self):
        return self.ivs.import_playback_key_pair(publicKeyMaterial=public_key(), name="key")["keyPair"]["arn"]

    @functools.cached_property
    def key_pair(self):
        return self.new_key_pair()


AD_SERVER = "arn:aws:mediatailor:us-east-1:123456789012:playbackConfiguration/ads"
