"""The fault matrix merges what a run found into what is written already."""

import pathlib
import re

from support.faults import Faults, Matrix, read

ROOT = pathlib.Path(__file__).parents[2]
SYMPTOMS = ROOT / "tests/SYMPTOMS.md"
GONE = "test_fault_matrix.py::test_that_is_gone"
HERE = "test_fault_matrix.py::test_a_run_replaces_the_rows_of_its_tests_and_keeps_those_of_others"
OTHER = "test_fault_matrix.py::test_nothing_found_writes_nothing"


def test_a_run_replaces_the_rows_of_its_tests_and_keeps_those_of_others(request, tmp_path):
    file = tmp_path / "FAULTS.md"
    before = Matrix()
    before.found = {
        ("S3", "away"): ("bad", HERE), ("S3", "renamed"): ("bad", HERE),
        ("RTMP", "reset"): ("RECONNECTING", OTHER), ("RTMP", "gone"): ("bad", GONE),
    }
    before.write(file)
    now = Matrix()
    Faults(now, request.node).record("S3", "away", "good")
    now.write(file)
    assert read(file) == {("RTMP", "reset"): ("RECONNECTING", OTHER), ("S3", "away"): ("good", HERE)}
    once = file.read_text()
    now.write(file)
    assert file.read_text() == once
    assert once.index("## RTMP") < once.index("## S3")


def test_nothing_found_writes_nothing(tmp_path):
    Matrix().write(tmp_path / "FAULTS.md")
    assert not (tmp_path / "FAULTS.md").exists()


def test_each_symptom_of_other_recorders_has_its_tests():
    rows = [line for line in SYMPTOMS.read_text().splitlines() if line.startswith("| ")][1:]
    for row in rows:
        tests = re.findall(r"`([^`]+)::(\w+)`", row)
        assert tests, row
        for file, name in tests:
            assert re.search(rf"\b(fn|def) {name}\(", (ROOT / file).read_text()), f"{file}::{name}"
