"""Events of a real composition: read as server-sent events and told to a webhook, across a restart."""

from support import stage as st
from support.events import Receiver, open_events, read_events
from support.server import Server, wait_for

SECRET = "secret-of-the-webhook"


def start_composition(make_client, server):
    realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
    stage = realtime.create_stage()["stage"]["arn"]
    video = {"width": 320, "height": 180, "framerate": 5, "bitrate": 100_000}
    encoder = realtime.create_encoder_configuration(video=video)["encoderConfiguration"]["arn"]
    storage, _ = st.make_storage(realtime, s3)
    started = realtime.start_composition(stageArn=stage, destinations=[
        {"s3": {"storageConfigurationArn": storage, "encoderConfigurationArns": [encoder]}}])
    return stage, started["composition"]


def test_events_survive_a_restart_and_reach_the_webhook_in_order(binary, tmp_path, make_client):
    receiver = Receiver(tmp_path, SECRET)
    config = f'[[webhooks]]\nurl = "{receiver.url}"\nsecret = "{SECRET}"\n'
    environment = {"SSL_CERT_FILE": str(receiver.ca)}
    with Server(binary, tmp_path / "server", config, environment) as server:
        stage, composition = start_composition(make_client, server)
        begun = read_events(server, 2, last=0)
        wait_for("the webhook", lambda: len(receiver.taken()) == 2, 20)
        receiver.refusing.set()
        server.stop()
    assert [number for number, _ in begun] == [1, 2]
    assert {e["detail"]["event_name"] for _, e in begun} == {"Destination Start", "Session Start"}
    receiver.refusing.clear()
    with Server(binary, tmp_path / "server", config, environment) as server:
        ended = read_events(server, 2, last=2)
        assert [number for number, _ in ended] == [3, 4]
        assert [e["detail"]["event_name"] for _, e in ended] == ["Destination End", "Session End"]
        gone = open_events(server, last=99)
        assert (gone.status_code, gone.json()["newest"]) == (410, 4)
        wait_for("the webhook", lambda: len(receiver.taken()) == 4, 20)
    for _, envelope in begun + ended:
        assert list(envelope) == [
            "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]
        assert envelope["resources"] == [composition["arn"]] and envelope["detail"]["stage_arn"] == stage
    assert receiver.taken() == begun + ended
    assert all(status in (204, 503) for status, *_ in receiver.told), receiver.told
    assert SECRET not in (tmp_path / "server" / "server.log").read_text()
    receiver.close()
