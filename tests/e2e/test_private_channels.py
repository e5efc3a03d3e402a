"""Private channels and restriction policies, with real streams, an unmodified hls.js and plain HTTP clients."""

import time

import pytest
import requests

from support import mmdb
from support.broadcast import broadcast
from support.browser import Browser
from support.playback_token import PlaybackKey
from support.server import Server, wait_for

LIVE_LIMIT_S = 30
PLAY_LIMIT_S = 30
CUT_OFF_LIMIT_S = 15
# What the service promises.
VIEWER_SHOWN_S, VIEWER_GONE_S = 15, 60
SWEDEN, GERMANY, NOWHERE = "198.51.100.7", "203.0.113.7", "192.0.2.7"


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    database = folder / "countries.mmdb"
    mmdb.write(database, {"198.51.100.0/24": "SE", "203.0.113.0/24": "DE", "127.0.0.0/8": "SE"})
    config = f'trusted_proxies = ["127.0.0.1"]\n[geoip]\ndatabase = "{database}"\n'
    with Server(binary, folder, config=config) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def key(ivs):
    key = PlaybackKey()
    ivs.import_playback_key_pair(publicKeyMaterial=key.public_pem, name="test")
    return key


def live(server, ivs, **channel):
    """A channel on air."""
    made = ivs.create_channel(**channel)
    return made["channel"], broadcast(server, made["streamKey"]["value"], size="160x120", rate=10)


@pytest.fixture(scope="module")
def private(server, ivs, key):
    channel, stream = live(server, ivs, authorized=True)
    with stream:
        token = key.token(channel["arn"])
        wait_for("the private channel", lambda: get(channel, token).status_code == 200, LIVE_LIMIT_S)
        yield channel


def get(channel, token=None, origin=None, **headers):
    if origin:
        headers["Origin"] = origin
    return requests.get(channel["playbackUrl"], params={"token": token} if token else None, headers=headers, timeout=10)


def refused(response, code):
    assert response.status_code == 403, response.text
    assert response.json()[0]["error_code"] == code, response.text
    assert "token=" not in response.json()[0]["url"]
    return response.json()[0]["error"]


def variant(response):
    """The URL of the media playlist."""
    assert response.status_code == 200, response.text
    return requests.compat.urljoin(response.url, response.text.splitlines()[-1])


def segment(playlist, **headers):
    text = requests.get(playlist, headers=headers, timeout=10).text
    name = next(line for line in text.splitlines() if line.endswith(".ts"))
    return requests.compat.urljoin(playlist, name)


def played(page, seconds):
    playback = page.evaluate("playback()")
    return playback if playback["time"] > seconds else None


def viewers(ivs, channel):
    return ivs.get_stream(channelArn=channel["arn"])["stream"]["viewerCount"]


def test_hls_js_plays_a_private_channel_until_its_viewer_is_revoked(private, ivs, key, browser):
    wait_for("no viewer", lambda: viewers(ivs, private) == 0, VIEWER_GONE_S)
    token = key.token(private["arn"], viewer_id="eve", viewer_session_version=1)
    page = browser.page()
    started = time.monotonic()
    page.evaluate("url => play(url)", f"{private['playbackUrl']}?token={token}")
    wait_for("a viewer", lambda: viewers(ivs, private) == 1, VIEWER_SHOWN_S)
    print("viewer counted after", round(time.monotonic() - started, 1), "s")
    playing = wait_for("2 s of playback", lambda: played(page, 2), PLAY_LIMIT_S)
    assert (playing["width"], playing["height"]) == (160, 120) and not playing["errors"]

    ivs.start_viewer_session_revocation(
        channelArn=private["arn"], viewerId="eve", viewerSessionVersionsLessThanOrEqualTo=1)
    revoked = time.monotonic()
    wait_for("the player to be cut off", lambda: page.evaluate("playback()")["errors"], CUT_OFF_LIMIT_S)
    print("player cut off after", round(time.monotonic() - revoked, 1), "s")
    refused(get(private, token), "session_revoked")
    newer = key.token(private["arn"], viewer_id="eve", viewer_session_version=2)
    assert get(private, newer).status_code == 200
    wait_for("the viewer to be gone", lambda: viewers(ivs, private) == 0, VIEWER_GONE_S)
    print("viewer gone after", round(time.monotonic() - revoked, 1), "s")
    page.close()


def test_hls_js_is_refused_without_a_token_and_from_another_page(private, key, browser):
    page = browser.page()
    page.evaluate("url => play(url)", private["playbackUrl"])
    wait_for("a fatal error", lambda: page.evaluate("playback()")["errors"], PLAY_LIMIT_S)
    origin = browser.url.rstrip("/")
    strict = {"strict_origin_enforcement": True}
    for allowed, plays in (("https://elsewhere.example", False), (origin, True)):
        token = key.token(private["arn"], access_control_allow_origin=allowed, **strict)
        page.goto(browser.url)
        page.evaluate("url => play(url)", f"{private['playbackUrl']}?token={token}")
        if plays:
            wait_for("playback from the allowed page", lambda: played(page, 1), PLAY_LIMIT_S)
        else:
            wait_for("a fatal error", lambda: page.evaluate("playback()")["errors"], PLAY_LIMIT_S)
    page.close()


def test_every_rule_of_a_token_holds(private, key):
    arn = private["arn"]
    refused(get(private), "token_missing")
    refused(get(private, PlaybackKey().token(arn)), "token_signature")
    refused(get(private, key.token(arn + "x")), "token_channel")
    refused(get(private, key.token(arn, life_s=-1)), "token_expired")
    assert get(private, key.token(arn, life_s=10 ** 9)).status_code == 200
    assert "aws:viewer-id" in refused(get(private, key.token(arn, life_s=700, viewer_id="v")), "token_claim")
    assert get(private, key.token(arn, maximum_resolution="SD")).status_code == 200
    once = key.token(arn, single_use_uuid="5f0f35d0-7a32-4f1c-a7f9-4c8ad6a0f6a1")
    playlist = variant(get(private, once))
    refused(get(private, once), "token_used")
    assert requests.get(playlist, timeout=10).status_code == 200

    elsewhere, here = "https://b.example", "https://a.b.example"
    token = key.token(arn, access_control_allow_origin="https://*.b.example", strict_origin_enforcement=True)
    refused(get(private, token), "origin_missing")
    refused(get(private, token, elsewhere), "origin_not_allowed")
    response = get(private, token, here)
    assert response.headers["Access-Control-Allow-Origin"] == here
    playlist = variant(response)
    for url in (playlist, segment(playlist, Origin=here)):
        refused(requests.get(url, timeout=10), "origin_missing")
        refused(requests.get(url, headers={"Origin": elsewhere}, timeout=10), "origin_not_allowed")
        assert requests.get(url, headers={"Origin": here}, timeout=10).status_code == 200
    stream = playlist.rsplit("/", 2)[0]
    for guess in (f"{stream}/0.ts", f"{stream}/{'A' * 24}.m3u8", f"{stream}/{'A' * 24}/live.m3u8"):
        refused(requests.get(guess, timeout=10), "session_unknown")


def test_a_deleted_key_lets_nobody_in_and_making_a_channel_public_waits_for_its_next_stream(private, ivs):
    other = PlaybackKey()
    pair = ivs.import_playback_key_pair(publicKeyMaterial=other.public_pem)["keyPair"]
    token = other.token(private["arn"])
    playlist = variant(get(private, token))
    ivs.delete_playback_key_pair(arn=pair["arn"])
    refused(get(private, token), "token_signature")
    assert requests.get(playlist, timeout=10).status_code == 200
    ivs.update_channel(arn=private["arn"], authorized=False)
    refused(get(private), "token_missing")
    ivs.update_channel(arn=private["arn"], authorized=True)


def test_a_policy_restricts_by_country_and_origin(server, ivs):
    policy = ivs.create_playback_restriction_policy(
        allowedCountries=["SE"], allowedOrigins=["https://*.a.example"])["playbackRestrictionPolicy"]
    channel, stream = live(server, ivs, playbackRestrictionPolicyArn=policy["arn"])
    with stream:
        wait_for("the restricted channel", lambda: get(channel).status_code == 200, LIVE_LIMIT_S)

        def from_address(address, **more):
            return get(channel, **{"X-Forwarded-For": address}, **more)

        assert from_address(SWEDEN).status_code == 200
        assert "DE" in refused(from_address(GERMANY), "country_not_allowed")
        assert from_address(NOWHERE).status_code == 200, "an unknown location is served"
        # The first entry is the client's own word, the last one the proxy's.
        refused(from_address(f"{SWEDEN}, {GERMANY}"), "country_not_allowed")
        refused(get(channel, origin="https://a.example"), "origin_not_allowed")
        playlist = variant(get(channel, origin="https://www.a.example"))
        assert requests.get(playlist, headers={"Origin": "https://b.example"}, timeout=10).status_code == 200

        ivs.update_playback_restriction_policy(arn=policy["arn"], allowedCountries=["DE"], enableStrictOriginEnforcement=True)
        refused(get(channel), "origin_missing")
        page = {"origin": "https://www.a.example"}
        refused(from_address(SWEDEN, **page), "country_not_allowed")
        playlist = variant(from_address(GERMANY, **page))
        refused(requests.get(playlist, timeout=10), "origin_missing")
        assert requests.get(playlist, headers={"Origin": page["origin"]}, timeout=10).status_code == 200
