"""Unmodified Chromium on a stage: publishing, subscribing, and watching the composition live."""

import numpy as np
import pytest

from support import recording as rec
from support import stage as st
from support.browser import Browser
from support.server import wait_for

SIZE = {"width": 640, "height": 360, "maxBitrate": 700_000}
# colour, tone, how it is published
GUESTS = {
    "h264": ("#c03030", 500, {"codec": "H264"}),
    "simulcast": ("#30a030", 700, {"codec": "VP8", "simulcast": True}),
    "vp9": ("#3050c0", 900, {"codec": "VP9"}),
    "audio": ("#000000", 1100, {"audioOnly": True}),
}


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


def publish(page, server, realtime, stage, name, color, hz, how, **more):
    token = st.token(realtime, stage, name)
    page.evaluate("options => publish(options)", {
        "name": name, "whip": server.whip, "token": token["token"], "color": color, "hz": hz, **SIZE, **how, **more})
    wait_for(f"{name} connected", lambda: stats(page, name)["state"] == "connected", 10)
    return token


def stats(page, name):
    return page.evaluate("name => stats(name)", name)


def test_four_browser_guests_are_composed_and_watched_live(server, realtime, ivs, s3, browser, tmp_path):
    stage = st.make_stage(realtime)
    page = browser.page()
    tokens = {
        name: publish(page, server, realtime, stage, name, color, hz, how)
        for name, (color, hz, how) in GUESTS.items()
    }
    storage, _bucket = st.make_storage(realtime, s3)
    encoder = st.make_encoder(realtime)
    channel = ivs.create_channel()["channel"]
    started = st.start(realtime, stage, st.to_channel(channel["arn"], encoder), st.to_s3(storage, encoder))
    st.wait_all_active(realtime, started["arn"])

    viewer = browser.page()
    viewer_token = st.token(realtime, stage, "viewer", capabilities=["SUBSCRIBE"])["token"]
    for name in ("h264", "simulcast", "vp9"):
        viewer.evaluate("options => subscribe(options)", {
            "name": name, "whip": server.whip, "token": viewer_token, "publisher": tokens[name]["participantId"]})
        received = wait_for(f"30 decoded frames of {name}", lambda: decoded(viewer, name, 30), 20)
        assert received["inbound"]["audio"]["totalSamplesReceived"] > 0
        assert received["inbound"]["audio"]["totalAudioEnergy"] > 0
        print(name, "first frame after", round(received["firstFrameMs"]), "ms")

    wait_for("live playlist", lambda: ivs_live(ivs, channel["arn"]), 20)
    live = browser.page()
    live.evaluate("url => play(url)", channel["playbackUrl"])
    playing = wait_for("3 s of live playback", lambda: played(live, 3), 30)
    assert (playing["width"], playing["height"]) == (1280, 720) and not playing["errors"]
    assert wait_for("a viewer is counted", lambda: ivs.get_stream(
        channelArn=channel["arn"])["stream"]["viewerCount"], 20) >= 1

    st.stop(realtime, started["arn"])
    for open_page in (page, viewer, live):
        open_page.close()
    recording = rec.download(s3, _bucket, st.prefix_of(started), tmp_path)
    recording.assert_whole()
    frame, sound = recording.frames()[-45], recording.sound()
    # Grid of four by arrival: h264, simulcast / vp9, audio (a placeholder).
    for name, spot in {"h264": (0.25, 0.25), "simulcast": (0.75, 0.25), "vp9": (0.25, 0.75)}.items():
        wanted = [int(GUESTS[name][0][i:i + 2], 16) for i in (1, 3, 5)]
        found = rec.mean_color(frame, *spot)
        assert rec.near(found, wanted), f"{name}: {found}, not {wanted}"
    for name, (_, hz, _) in GUESTS.items():
        assert tone_level(sound, hz) > 10 * tone_level(sound, hz + 90), f"{name}'s tone of {hz} Hz is missing"


def decoded(page, name, frames):
    found = stats(page, name)
    enough = found["inbound"].get("video", {}).get("framesDecoded", 0) >= frames
    return found if enough and found["firstFrameMs"] is not None else None


def played(page, seconds):
    found = page.evaluate("playback()")
    return found if found["time"] >= seconds or found["errors"] else None


def ivs_live(ivs, arn):
    try:
        return ivs.get_stream(channelArn=arn)["stream"]["state"] == "LIVE"
    except ivs.exceptions.ChannelNotBroadcasting:
        return False


def tone_level(sound, hz, window_s=0.05):
    """Mean level of a tone in the middle 2 s; windowed, since a source's clock may be slewed against ours."""
    middle = sound[len(sound) // 2: len(sound) // 2 + 2 * rec.SAMPLE_RATE]
    t = np.arange(len(middle)) / rec.SAMPLE_RATE
    windows = (middle * np.exp(-2j * np.pi * hz * t)).reshape(-1, int(window_s * rec.SAMPLE_RATE))
    return np.abs((windows * np.hanning(windows.shape[1])).mean(axis=1)).mean()


def test_a_vanished_page_is_noticed_and_its_return_keeps_the_place(server, realtime, browser):
    stage = st.make_stage(realtime)
    page = browser.page()
    token = publish(page, server, realtime, stage, "back", "#808080", 600, {"codec": "VP8"})
    page.close()
    page = browser.page()
    page.evaluate("options => publish(options)", {
        "name": "again", "whip": server.whip, "token": token["token"], "color": "#808080", "hz": 600,
        "codec": "VP8", **SIZE})
    wait_for("connected again", lambda: stats(page, "again")["state"] == "connected", 10)
    page.close()


def test_a_disconnected_participant_cannot_return(server, realtime, browser):
    stage = st.make_stage(realtime)
    page = browser.page()
    token = publish(page, server, realtime, stage, "out", "#808080", 600, {"codec": "VP8"})
    realtime.disconnect_participant(stageArn=stage, participantId=token["participantId"], reason="test")
    wait_for("the connection ends", lambda: stats(page, "out")["state"] in ("disconnected", "failed", "closed"), 15)
    refused = page.evaluate("""options => publish(options).then(() => "accepted", (error) => error.message)""", {
        "name": "out2", "whip": server.whip, "token": token["token"], "color": "#808080", "hz": 600,
        "codec": "VP8", **SIZE})
    assert refused.startswith("401"), refused
    page.close()


def test_chromium_ramps_up_to_full_quality(server, realtime, browser):
    stage = st.make_stage(realtime)
    page = browser.page()
    publish(page, server, realtime, stage, "hd", "#808080", 600, {"codec": "VP8", "grainy": True},
            width=1280, height=720, maxBitrate=2_500_000)

    def ramped():
        found = stats(page, "hd")
        return found if found["bitrate"] and found["bitrate"] >= 2_500_000 else None

    found = wait_for("2.5 Mb/s available", ramped, 45)
    outbound = next(o for o in found["outbound"] if o["kind"] == "video")
    assert (outbound["frameWidth"], outbound["frameHeight"]) == (1280, 720)
    page.close()
