"""A real server, AWS clients for it, and the CPU time of processes."""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import boto3
import botocore.config

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--proscenium", type=pathlib.Path, help="the binary; by default the one that `make build` made")
    return parser


def built():
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"],
        check=True, capture_output=True, cwd=ROOT,
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"]) / "debug/proscenium"


def client(name, endpoint):
    return boto3.client(
        name, endpoint_url=endpoint, region_name="us-east-1",
        aws_access_key_id="PROSCENIUMDEV", aws_secret_access_key="proscenium-development-secret",
        config=botocore.config.Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def cpu_seconds(pid):
    """User and system time of a running process (proc(5), fields 14 and 15)."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells):
    row(*cells)
    print("|" + "---|" * len(cells), flush=True)
