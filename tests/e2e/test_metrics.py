"""What Prometheus reads of a running composition."""

import re

import requests

from support import stage as st
from support.server import Server, wait_for

TOKEN = "scrape-scrape-scrape"
# Of a source whose picture and sound are made on one clock: half a frame, and how far a slew may be behind.
SKEW_MAX_S = 0.04


def read(server, token=TOKEN):
    return requests.get(f"{server.http}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=5)


def values(server, name):
    """Of one metric: the value for each set of labels."""
    found = re.findall(rf"^{name}{{(.*)}} (\S+)$", read(server).text, re.MULTILINE)
    return {labels: float(value) for labels, value in found}


def test_metrics_follow_a_composition_from_its_first_second_to_its_end(binary, make_client, tmp_path):
    with Server(binary, tmp_path / "server", f'metrics_token = "{TOKEN}"\n') as server:
        realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
        assert (read(server, "guess-guess-guess").status_code, read(server).status_code) == (401, 200)
        stage = st.make_stage(realtime)
        storage, _ = st.make_storage(realtime, s3)
        encoder = st.make_encoder(realtime, width=320, height=180, bitrate=300_000)
        ada = st.token(realtime, stage, "ada")
        publisher = server.publish(ada["token"], "--size", "320x180", "--bitrate", "300000")
        try:
            started = st.start(realtime, stage, st.to_s3(storage, encoder))
            st.wait_all_active(realtime, started["arn"])
            skews = wait_for("a skew", lambda: values(server, "proscenium_participant_skew_seconds"), 10)
            (labels, skew), = skews.items()
            assert f'participant="{ada["participantId"]}"' in labels
            assert abs(skew) <= SKEW_MAX_S
            kinds = values(server, "proscenium_track_buffered_seconds")
            assert len(kinds) == 2 and all(0 <= seconds < 1 for seconds in kinds.values()), kinds
            assert all(pixels > 320 * 180 for pixels in values(server, "proscenium_pixels_decoded_total").values())
            st.stop(realtime, started["arn"])
            wait_for("nothing", lambda: not values(server, "proscenium_pixels_decoded_total"), 10)
        finally:
            publisher.stop()


def test_without_a_token_there_are_no_metrics(server):
    assert read(server).status_code in (403, 404)
