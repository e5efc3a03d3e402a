"""`proscenium publish` as a participant."""

import re

import requests

from support import stage as st
from support.server import wait_for


def test_every_simulcast_publisher_shows_a_picture(server, realtime):
    stage = st.make_stage(realtime)
    options = ["--simulcast", "--size", "320x180", "--bitrate", "300000"]
    publishers = [
        server.publish(st.token(realtime, stage, f"{codec}{i}")["token"], "--codec", codec, *options)
        for i in range(2) for codec in ("vp8", "h264")
    ]
    try:
        wait_for("four pictures", lambda: pictures(server, stage) == 4, 10)
    finally:
        for publisher in publishers:
            publisher.stop()


def pictures(server, stage):
    token = re.search(r'name="session-token" content="([^"]+)"', requests.get(server.page, timeout=5).text).group(1)
    url = f"{server.http}/session/stages/{stage.split('/')[-1]}/participants"
    found = requests.get(url, headers={"X-Session-Token": token}, timeout=5).json()["participants"]
    return sum(participant["hasVideo"] for participant in found)
