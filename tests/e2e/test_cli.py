"""The command line: what it refuses, what it prints."""

import json
import os
import subprocess

import pytest


def run(binary, *arguments, env=None, limit=30):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PROSCENIUM_", "AWS_"))}
    return subprocess.run(
        [binary, *arguments], capture_output=True, text=True, timeout=limit, env={**clean, **(env or {})})


def test_all_problems_are_listed_at_once(binary, tmp_path):
    file = tmp_path / "proscenium.toml"
    file.write_text('colour = "blue"\n[s3]\nmode = "tape"\n')
    done = run(binary, "serve", "--config", file, "--http", "nowhere", env={"PROSCENIUM_RTMPP": "1"})
    assert done.returncode != 0
    for word in ("colour", "tape", "nowhere", "PROSCENIUM_RTMPP"):
        assert word in done.stderr, done.stderr


@pytest.mark.parametrize("flag", ["--http", "--s3"])
def test_the_development_key_is_refused_off_loopback(binary, tmp_path, flag):
    done = run(binary, "serve", "--data-dir", tmp_path, flag, "0.0.0.0:0")
    assert done.returncode != 0 and "development key" in done.stderr


def test_endpoints_file_equals_the_ready_line(server):
    assert json.loads((server.data_dir / "endpoints.json").read_text()) == server.endpoints
    assert set(server.endpoints) == {"http", "rtmp", "s3", "webrtc", "page"}


def test_sigterm_ends_an_idle_server_with_zero(binary, tmp_path):
    from support.server import Server

    with Server(binary, tmp_path / "server") as server:
        assert server.stop() == 0


def test_doctor_finds_this_machine_fit(binary, tmp_path):
    any_port = "127.0.0.1:0"
    done = run(binary, "doctor", "--data-dir", tmp_path, "--http", any_port, "--rtmp", any_port, "--s3", any_port,
               "--webrtc", any_port, limit=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_doctor_says_what_is_wrong(binary, server, tmp_path):
    taken = server.http.removeprefix("http://")
    done = run(binary, "doctor", "--data-dir", tmp_path, "--http", taken, "--rtmp", "127.0.0.1:0", "--s3", "127.0.0.1:0",
               "--webrtc", "127.0.0.1:0", limit=60)
    assert done.returncode == 1 and taken.split(":")[1] in done.stdout + done.stderr
