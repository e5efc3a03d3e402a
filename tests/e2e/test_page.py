"""The page at `/`, used as a person would: join, start, watch live, stop, watch the recording."""

import re

import requests

from support.browser import Browser
from support.server import wait_for


def test_a_person_joins_composes_and_watches(server, tmp_path):
    with Browser() as browser:
        page = browser.page(server.page)
        page.get_by_test_id("stage-name").fill("rehearsal")
        page.get_by_test_id("stage-create").click()
        page.get_by_test_id("name").fill("Ada")
        page.get_by_test_id("source-select").select_option("pattern")
        page.get_by_test_id("join").click()
        page.get_by_test_id("leave").wait_for()

        other = browser.page(server.page)
        stage = other.get_by_test_id("stage-select").locator("option", has_text="rehearsal").first
        stage.wait_for(state="attached")
        other.get_by_test_id("stage-select").select_option(stage.get_attribute("value"))
        other.get_by_test_id("name").fill("Bob")
        other.get_by_test_id("source-select").select_option("pattern")
        other.get_by_test_id("join").click()
        wait_for("Ada sees Bob moving", lambda: moving_videos(page, "tiles") >= 2, 20)

        page.get_by_test_id("layout-select").select_option(index=0)
        page.get_by_test_id("start-composition").click()
        wait_for("ACTIVE", lambda: state(page) == "ACTIVE", 20)
        wait_for("the channel plays", lambda: current_time(page, "live-video") > 2, 40)
        page.screenshot(path=str(tmp_path / "live.png"))
        page.get_by_test_id("stop-composition").click()
        # Two browsers that code and decode in software may leave the worker behind: what was said until the stop is still composed.
        wait_for("STOPPED", lambda: state(page) == "STOPPED", 60)
        page.get_by_test_id("recording-play").click()
        wait_for("the recording plays", lambda: current_time(page, "recording-video") > 1, 30)
        print("picture of the page:", tmp_path / "live.png")


def state(page):
    return page.get_by_test_id("composition-state").get_attribute("data-state")


def current_time(page, test_id):
    return page.get_by_test_id(test_id).evaluate("video => video.currentTime")


def moving_videos(page, test_id):
    return page.get_by_test_id(test_id).locator("video").evaluate_all(
        "videos => videos.filter(video => video.videoWidth > 0 && video.currentTime > 0.5).length")


def test_the_session_api_answers_only_its_page(server):
    token = re.search(r'name="session-token" content="([^"]+)"', requests.get(server.page, timeout=5).text).group(1)
    url = server.http + "/session/stages"
    good = {"X-Session-Token": token}
    assert requests.get(url, headers=good, timeout=5).status_code == 200
    for headers in ({}, {"X-Session-Token": "guess"}, {**good, "Origin": "http://evil.example"},
                    {**good, "Host": "evil.example"}):
        answer = requests.get(url, headers=headers, timeout=5)
        assert answer.status_code == 403, (headers, answer.text)
        assert "Access-Control-Allow-Origin" not in answer.headers
    preflight = requests.options(url, headers={"Origin": "http://evil.example", "Access-Control-Request-Method": "GET"},
                                 timeout=5)
    assert "Access-Control-Allow-Origin" not in preflight.headers


def test_the_page_holds_no_secret(server):
    text = requests.get(server.page, timeout=5).text
    scripts = re.findall(r'src="(/[^"]+\.js)"', text)
    assert scripts
    for part in [text, *(requests.get(server.http + script, timeout=5).text for script in scripts)]:
        assert "proscenium-development-secret" not in part and "PROSCENIUMDEV" not in part
