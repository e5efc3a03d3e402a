"""What an operator sees: metrics, probes, logs, and rules and sections for whatever can page."""

import json
import pathlib
import re
import subprocess

import requests

from support import stage as st
from support.metrics import SETTING, read, values
from support.server import Server, wait_for

ROOT = pathlib.Path(__file__).parents[2]
DOCS, METRICS = ROOT / "docs", ROOT / "api/src/metrics"
# Of a source whose picture and sound are made on one clock: half a frame, and how far a slew may be behind.
SKEW_MAX_S = 0.04


def test_metrics_follow_a_composition_from_its_first_second_to_its_end(binary, make_client, tmp_path):
    with Server(binary, tmp_path / "server", SETTING) as server:
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
            assert values(server, "proscenium_compositions") == {'state="ACTIVE"': 1}
            assert values(server, "proscenium_destinations") == {'state="ACTIVE"': 1}
            told = read(server).text
            for line in ("proscenium_stage_sessions 1", "proscenium_stage_publishers 1", "proscenium_stage_peers 1", "proscenium_spools 1"):
                assert line in told.splitlines(), line
            started_once = {'operation="StartComposition",status="200"': 1}.items()
            assert started_once <= values(server, "proscenium_api_requests_total").items()
            check = subprocess.run(["promtool", "check", "metrics"], input=told, capture_output=True, text=True)
            assert check.returncode == 0, check.stdout + check.stderr
            st.stop(realtime, started["arn"])
            wait_for("nothing", lambda: not values(server, "proscenium_pixels_decoded_total"), 10)
        finally:
            publisher.stop()


def test_without_a_token_there_are_no_metrics(server):
    assert read(server).status_code in (403, 404)


def test_every_rule_is_valid_reads_what_is_told_and_has_its_section(binary, tmp_path):
    rules = DOCS / "alerts.yml"
    subprocess.run(["promtool", "check", "rules", rules], check=True, capture_output=True)
    text = rules.read_text()
    headings = re.findall(r"^## (.*)$", (DOCS / "runbook.md").read_text(), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"runbook: runbook.md#(\S+)", text)) <= anchors
    source = "".join(path.read_text() for path in METRICS.glob("*.rs"))
    for metric in set(re.findall(r"proscenium_\w+", text)):
        assert f'"{metric}"' in source, metric


def test_probes_say_whether_work_is_taken(binary, tmp_path):
    with Server(binary, tmp_path / "server") as server:
        for probe in ("healthz", "readyz"):
            assert requests.get(f"{server.http}/{probe}", timeout=5).status_code == 200
        # The store's one table that the probe reads is gone.
        subprocess.run(
            ["python3", "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('DROP TABLE webhook')",
             server.data_dir / "proscenium.db"], check=True)
        answer = requests.get(f"{server.http}/readyz", timeout=5)
        assert (answer.status_code, answer.text) == (503, "the store fails\n")
        assert requests.get(f"{server.http}/healthz", timeout=5).status_code == 200


def test_json_logs_name_the_composition(binary, make_client, tmp_path):
    with Server(binary, tmp_path / "server", 'log_format = "json"\n') as server:
        realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
        storage, _ = st.make_storage(realtime, s3)
        encoder = st.make_encoder(realtime, width=320, height=180)
        started = st.start(realtime, st.make_stage(realtime), st.to_s3(storage, encoder))
        st.wait_all_active(realtime, started["arn"])
        st.stop(realtime, started["arn"])
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line]
    composition = started["arn"].rpartition("/")[2]
    assert any(line.get("composition") == composition for line in lines), lines
    assert all({"timestamp", "level", "target", "message"} <= line.keys() for line in lines)
