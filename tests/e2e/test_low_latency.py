"""What operations on low-latency channels do to S3 and to broadcasters."""

import threading

import pytest

from support.broadcast import broadcast
from support.server import Server, wait_for

SETTLED_LIMIT_S = 20
LIVE_LIMIT_S = 30
REFUSED_LIMIT_S = 20


def is_live(ivs, channel):
    return channel in [stream["channelArn"] for stream in ivs.list_streams()["streams"]]


def recording_in(ivs, bucket):
    destination = {"s3": {"bucketName": bucket}}
    made = ivs.create_recording_configuration(destinationConfiguration=destination)["recordingConfiguration"]
    assert made["state"] == "CREATING"
    return made["arn"]


def settled(ivs, arn):
    def state():
        found = ivs.get_recording_configuration(arn=arn)["recordingConfiguration"]["state"]
        return found if found != "CREATING" else None

    return wait_for("a settled recording configuration", state, SETTLED_LIMIT_S)


def test_a_recording_configuration_is_active_once_its_bucket_was_written_to(ivs, s3):
    s3.create_bucket(Bucket="kept")
    assert settled(ivs, recording_in(ivs, "kept")) == "ACTIVE"
    assert "Contents" not in s3.list_objects_v2(Bucket="kept"), "the check leaves nothing behind"


def test_a_recording_configuration_without_a_bucket_fails(ivs):
    assert settled(ivs, recording_in(ivs, "nowhere")) == "CREATE_FAILED"


def test_an_s3_that_does_not_answer_fails_a_recording_configuration_in_time(binary, make_client, tmp_path):
    external = """
[s3]
mode = "external"
endpoint = "http://127.0.0.1:9"
access_key_id = "someone"
secret_access_key = "something-long-enough"
"""
    with Server(binary, tmp_path / "server", config=external, flags=("--http", "--rtmp", "--webrtc")) as server:
        ivs = make_client("ivs", server.http)
        assert settled(ivs, recording_in(ivs, "kept")) == "CREATE_FAILED"


def test_a_check_goes_on_after_the_server_was_killed(binary, make_client, tmp_path):
    with Server(binary, tmp_path / "server") as server:
        make_client("s3", server.s3).create_bucket(Bucket="kept")
        ivs = make_client("ivs", server.http)
        arns = [recording_in(ivs, "kept") for _ in range(5)]
        server.child.kill()
        server.child.wait()
    with Server(binary, tmp_path / "server") as server:
        ivs = make_client("ivs", server.http)
        assert [settled(ivs, arn) for arn in arns] == ["ACTIVE"] * 5


def test_a_deleted_key_lets_nobody_in_and_leaves_the_running_stream_alone(server, ivs):
    made = ivs.create_channel()
    channel, key = made["channel"]["arn"], made["streamKey"]
    with broadcast(server, key["value"]) as running:
        wait_for("the stream", lambda: is_live(ivs, channel), LIVE_LIMIT_S)
        ivs.delete_stream_key(arn=key["arn"])
        with broadcast(server, f"{key['value']}?priority=10") as refused:
            assert refused.child.wait(REFUSED_LIMIT_S) != 0
        assert is_live(ivs, channel) and running.child.poll() is None
        ivs.stop_stream(channelArn=channel)
        assert running.child.wait(REFUSED_LIMIT_S) != 0
    with broadcast(server, key["value"]) as refused:
        assert refused.child.wait(REFUSED_LIMIT_S) != 0
    assert not is_live(ivs, channel)
    other = ivs.create_stream_key(channelArn=channel)["streamKey"]
    with broadcast(server, other["value"]):
        wait_for("the stream with the new key", lambda: is_live(ivs, channel), LIVE_LIMIT_S)
        with pytest.raises(ivs.exceptions.ConflictException):
            ivs.delete_channel(arn=channel)


def test_concurrent_updates_of_different_members_are_all_kept(ivs):
    channel = ivs.create_channel()["channel"]["arn"]
    slate = ivs.create_failover_slate_configuration()["failoverSlateConfiguration"]["arn"]
    changes = [{"name": "kept"}, {"latencyMode": "NORMAL"}, {"type": "BASIC"}, {"insecureIngest": True},
               {"failoverSlateConfigurationArn": slate}]
    threads = [threading.Thread(target=ivs.update_channel, kwargs={"arn": channel, **change}) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = ivs.get_channel(arn=channel)["channel"]
    assert {name: found[name] for change in changes for name in change} == {k: v for c in changes for k, v in c.items()}
