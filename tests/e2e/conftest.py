"""A server of its own for each test module, on free ports, and the clients that talk to it."""

import json
import os
import pathlib
import subprocess
import sys
import threading

import boto3
import botocore.config
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from support.faults import Faults, Matrix  # noqa: E402
from support.server import Server  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--every-source", action="store_true", help="sync of browsers and aiortc, too: `make sync`")
    parser.addoption("--outage", type=int, default=20, help="for how many seconds S3 is away: `make faults`")
    parser.addoption("--steps", type=int, default=1, help="how far down the ladder a composition is starved: `make faults`")
    parser.addoption("--fresh-seed", action="store_true", help="random tests draw a new seed, which they print")


def _binary() -> pathlib.Path:
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"],
        check=True, capture_output=True, cwd=pathlib.Path(__file__).parents[2],
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"]) / "debug" / "proscenium"


@pytest.fixture(scope="session")
def binary() -> pathlib.Path:
    path = _binary()
    assert path.exists(), f"{path} is not built: make build"
    return path


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    with Server(binary, tmp_path_factory.mktemp("server")) as server:
        yield server


def _client(name, endpoint):
    return boto3.client(
        name,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="PROSCENIUMDEV",
        aws_secret_access_key="proscenium-development-secret",
        config=botocore.config.Config(
            retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
        ),
    )


@pytest.fixture(scope="module")
def realtime(server):
    return _client("ivs-realtime", server.http)


@pytest.fixture(scope="module")
def ivs(server):
    return _client("ivs", server.http)


@pytest.fixture(scope="module")
def s3(server):
    return _client("s3", server.s3)


@pytest.fixture(scope="module")
def make_client():
    return _client


@pytest.fixture(scope="session")
def session_client():
    return _client


@pytest.fixture(scope="session")
def fault_matrix():
    matrix = Matrix()
    yield matrix
    matrix.write()


@pytest.fixture
def faults(fault_matrix, request):
    """`faults.record(area, fault, outcome)` adds a row to tests/FAULTS.md."""
    return Faults(fault_matrix, request.node)
