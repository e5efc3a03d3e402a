"""Signed requests per second, and pages of a long list: `ab` sends requests that botocore signed."""

import contextlib
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import world
from support import stage
from support.server import Server, wait_for

KEY = botocore.credentials.Credentials("PROSCENIUMDEV", "proscenium-development-secret")
STAGES = 10_000
LONG_LIST = 100_000
REQUESTS = 10_000
CONNECTIONS = 8
PAGES_COMPARED = 50
NGINX_LIMIT_S = 5

CONFIG = f"[limits.quotas]\nstages = {2 * LONG_LIST}\n"


def ab(url, folder, requests, connections, body=None, headers=()):
    """Requests per second, p50 and p99 in milliseconds; every answer must be a success."""
    table = folder / "percentiles.csv"
    command = ["ab", "-q", "-k", "-n", requests, "-c", connections, "-e", table]
    if body is not None:
        (folder / "body.json").write_text(body)
        command += ["-p", folder / "body.json", "-T", "application/json"]
    for name, value in headers:
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run([str(part) for part in [*command, url]], check=True, capture_output=True, text=True)
    assert "Non-2xx responses" not in done.stdout, done.stdout
    rate = float(re.search(r"Requests per second: +([\d.]+)", done.stdout)[1])
    times = dict(line.split(",") for line in table.read_text().splitlines()[1:])
    return rate, float(times["50"]), float(times["99"])


def signed(server, operation, body, folder, requests=REQUESTS, connections=CONNECTIONS):
    url = f"{server.http}/{operation}"
    request = botocore.awsrequest.AWSRequest("POST", url, data=body)
    botocore.auth.SigV4Auth(KEY, "ivs", "us-east-1").add_auth(request)
    return ab(url, folder, requests, connections, body, request.headers.items())


@contextlib.contextmanager
def nginx(folder, size):
    """A peer that answers as many bytes from memory, and checks nothing."""
    port = 18099
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;"
        "events {} http { access_log off; keepalive_requests 1000000;"
        f"server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{'x' * size}'; }} }} }}"
    )
    child = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/"
    try:
        wait_for("nginx", lambda: subprocess.run(["curl", "-sf", url], capture_output=True).returncode == 0, NGINX_LIMIT_S)
        yield url
    finally:
        child.terminate()
        child.wait()


def rates(server, realtime, folder):
    stage_arn = stage.make_stage(realtime)
    s3 = world.client("s3", server.s3)
    storage, _ = stage.make_storage(realtime, s3)
    composition = stage.start(realtime, stage_arn, stage.to_s3(storage, stage.make_encoder(realtime)))["arn"]
    signed(server, "CreateStage", "{}", folder, requests=STAGES - 1)
    with nginx(folder, 1200) as peer:
        world.head("", "connections", "requests/s", "p50 ms", "p99 ms", "server CPU us/request")
        for connections in (1, CONNECTIONS):
            for operation, body in (
                ("GetComposition", f'{{"arn": "{composition}"}}'),
                ("CreateParticipantToken", f'{{"stageArn": "{stage_arn}"}}'),
            ):
                before = world.cpu_seconds(server.child.pid)
                rate, p50, p99 = signed(server, operation, body, folder, connections=connections)
                cpu = (world.cpu_seconds(server.child.pid) - before) * 1e6 / REQUESTS
                world.row(operation, connections, f"{rate:.0f}", f"{p50:.2f}", f"{p99:.2f}", f"{cpu:.0f}")
            rate, p50, p99 = ab(peer, folder, REQUESTS, connections)
            world.row("peer: nginx, fixed answer", connections, f"{rate:.0f}", f"{p50:.2f}", f"{p99:.2f}", "")


def pages(server, realtime, folder):
    # A signature is good for five minutes.
    for _ in range(LONG_LIST // STAGES - 1):
        signed(server, "CreateStage", "{}", folder, requests=STAGES)
    times, token = [], ""
    while True:
        before = time.perf_counter()
        page = realtime.list_stages(maxResults=100, nextToken=token)
        times.append((time.perf_counter() - before) * 1000)
        token = page.get("nextToken")
        if not token:
            break
    assert len(times) >= LONG_LIST // 100, len(times)
    middle = len(times) // 2
    world.head("ListStages, pages of 100", "p50 ms", "worst ms")
    for name, part in (
        ("first", times[:PAGES_COMPARED]),
        ("middle", times[middle:middle + PAGES_COMPARED]),
        ("last", times[-PAGES_COMPARED:]),
    ):
        world.row(f"{name} {PAGES_COMPARED} of {len(times)}", f"{statistics.median(part):.1f}", f"{max(part):.1f}")


def main():
    arguments = world.arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with Server(arguments.proscenium or world.built(), folder / "server", CONFIG) as server:
            realtime = world.client("ivs-realtime", server.http)
            rates(server, realtime, folder)
            print()
            pages(server, realtime, folder)


if __name__ == "__main__":
    main()
