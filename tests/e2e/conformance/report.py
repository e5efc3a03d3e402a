"""What the run found, as a table that only changes when the findings do."""

import collections
import pathlib

from conformance.constraints import RULES
from conformance.exceptions import IGNORED_PATTERNS, INSIDE_NOT_TRIED, OUTPUT_VALUES
from conformance.model import OPERATIONS

FILE = pathlib.Path(__file__).parents[2] / "CONFORMANCE.md"


class Results:
    """By operation. `responses`: what was wrong with them, `seen`: the paths of their members, `called`: succeeded,
    `cases`: (held, tried) by rule."""

    def __init__(self):
        self.responses = collections.defaultdict(list)
        self.seen = collections.defaultdict(set)
        self.called = set()
        self.cases = {}

    def write(self):
        """Only a whole run is written down."""
        if len(self.called) == len(self.cases) == len(OPERATIONS):
            FILE.write_text(self._text())

    def _text(self):
        held = sum(h for counts in self.cases.values() for h, _ in counts.values())
        tried = sum(t for counts in self.cases.values() for _, t in counts.values())
        right = [key for key in OPERATIONS if key in self.called and not self.responses[key]]
        lines = [
            "# Conformance", "",
            "Written by `tests/e2e/conformance`; the models are those of the pinned botocore.", "",
            "- **response**: a valid call through boto3, its raw response checked against the output shape: status,",
            "  types, required members, enums, patterns, sizes, ISO 8601 times, headers, nothing that the model lacks.",
            "- **the rules**: every rule of every input member, one value just inside and one just outside, as held / tried.",
            "  Inside must not be refused as invalid; outside must be 400 ValidationException, and its message must",
            "  name member, value and rule.", "",
            f"{len(right)} of {len(OPERATIONS)} operations answer as modelled; {held} of {tried} rule checks hold.", "",
        ]
        for service in ("ivs-realtime", "ivs"):
            lines += [f"## {service}", "", f"| operation | response | {' | '.join(RULES)} |",
                      "|---" * (len(RULES) + 2) + "|"]
            lines += [self._row(key) for key in OPERATIONS if key[0] == service]
            lines.append("")
        lines += ["## Exceptions", ""]
        lines += [f"- `{shape}` may be {value!r} in a response: {why}." for (shape, value), why in OUTPUT_VALUES.items()]
        lines += [f"- The pattern of `{shape}` is not applied: {why}." for shape, why in IGNORED_PATTERNS.items()]
        lines += [f"- `{shape}`, {rule}, inside{', empty' if empty else ''}, is not tried: {why}."
                  for (shape, rule, empty), why in INSIDE_NOT_TRIED.items()]
        return "\n".join(lines) + "\n"

    def _row(self, key):
        answered = "yes" if key in self.called and not self.responses[key] else "**no**"
        cells = []
        for rule in RULES:
            held, tried = self.cases[key].get(rule, (0, 0))
            cells.append("" if not tried else f"{held}/{tried}" if held == tried else f"**{held}/{tried}**")
        return f"| {key[1]} | {answered} | {' | '.join(cells)} |"
