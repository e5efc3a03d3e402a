"""The AWS SDK for JavaScript against a real server; its tests are in tests/js."""

import os
import pathlib
import subprocess

JS = pathlib.Path(__file__).parents[1] / "js"
LIMIT_S = 120


def test_the_main_flows_through_the_javascript_sdk(server):
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(
        ["node", "--test", "sdk.test.js"], cwd=JS, capture_output=True, text=True, timeout=LIMIT_S,
        env={**clean, "ENDPOINT": server.http, "BINARY": str(server.binary)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
