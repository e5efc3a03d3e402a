"""The fault matrix, tests/FAULTS.md: what was done to the product on purpose, and what came of it."""

import pathlib

TESTS = pathlib.Path(__file__).parents[1]
FILE = TESTS.parent / "FAULTS.md"
HEAD = [
    "# Faults", "",
    "Written by `tests/e2e`: each row is a fault that a test injected into a running server, and what the test saw come of it.",
    "A run replaces the rows of the tests that ran; rows of tests that are no more go.", "",
]
TABLE = ["| fault | outcome | test |", "|---|---|---|"]


class Matrix:
    """The rows of a run, by area and fault."""

    def __init__(self):
        self.found = {}
        self.whole_tests = set()

    def write(self, file=FILE):
        """Nothing is written down when nothing was found."""
        if not self.found:
            return
        rows = {key: row for key, row in read(file).items() if row[1] not in self.whole_tests and exists(row[1])}
        lines, area = list(HEAD), None
        for key, (outcome, test) in sorted((rows | self.found).items()):
            if key[0] != area:
                area = key[0]
                lines += [] if lines[-1] == "" else [""]
                lines += [f"## {area}", "", *TABLE]
            lines.append(f"| {key[1]} | {outcome} | `{test}` |")
        file.write_text("\n".join(lines) + "\n")


class Faults:
    """What one test adds to the matrix."""

    def __init__(self, matrix, node):
        self._matrix = matrix
        self._test = f"{node.path.relative_to(TESTS)}::{node.originalname}"
        # Of a parametrized test perhaps not every case runs.
        if not hasattr(node, "callspec"):
            matrix.whole_tests.add(self._test)

    def record(self, area: str, fault: str, outcome: str):
        """Adds a row: what was done, and what was seen. To be called after it was checked, without figures that change."""
        for text in (area, fault, outcome):
            assert text and "|" not in text and "\n" not in text, f"{text!r} does not fit into a table"
        self._matrix.found[area, fault] = (outcome, self._test)


def read(file):
    """The rows of a matrix: outcome and test by area and fault."""
    rows, area = {}, None
    for line in file.read_text().splitlines() if file.exists() else []:
        if line.startswith("## "):
            area = line[3:]
        elif line.startswith("| ") and line not in TABLE:
            fault, outcome, test = line[2:-2].split(" | ")
            rows[area, fault] = (outcome, test.strip("`"))
    return rows


def exists(test):
    file, _, name = test.partition("::")
    path = TESTS / file
    return path.exists() and f"def {name}(" in path.read_text()
