"""Every rule of every input member as requests: one value just inside, one just outside."""

import copy
import dataclasses
import json

from conformance import patterns
from conformance.exceptions import IGNORED_PATTERNS, INSIDE_NOT_TRIED
from conformance.inputs import FITTING
from conformance.model import KEY_SHAPES, bounds, choices_of, operation, pattern_of, sample, text_of

ABSENT = object()
# Structures that take one of several members.
ALTERNATIVES = {"DestinationConfiguration": {"channel", "s3"}, "LayoutConfiguration": {"grid", "pip"}}
# The columns of the report.
RULES = ("required", "type", "length", "size", "range", "pattern", "enum")


@dataclasses.dataclass(frozen=True)
class Case:
    """One request. `named` is the member, `given` the value and `rule_text` the rule that a refusal must name."""

    path: str
    rule: str
    inside: bool
    body: dict
    named: str = ""
    given: str = ""
    rule_text: str = ""
    refers: bool = False

    def __str__(self):
        return f"{self.path or 'body'}: {self.rule}, {'inside' if self.inside else 'outside'}"


@dataclasses.dataclass(frozen=True)
class Site:
    """A member or an item in the input; `steps` lead to it from the body."""

    shape: object
    steps: tuple
    required: bool

    @property
    def path(self):
        return "".join(step if kind == "item" else f".{step}" for kind, step in self.steps).lstrip(".")

    @property
    def named(self):
        return next(step for kind, step in reversed(self.steps) if kind == "member")


class Generator:
    """The cases of one operation. `base` is a valid input, `known` gives values of shapes that the model cannot,
    `beside` what a member needs beside it."""

    def __init__(self, service, name, base, known, beside=None):
        self._input = operation(service, name).input_shape
        self._base = base
        self._known = known
        self._beside = beside or {}

    def cases(self):
        for site in self._sites(self._input, (), True):
            yield from self._of_site(site)

    def _sites(self, shape, steps, required):
        if steps:
            yield Site(shape, steps, required)
        if shape.type_name == "structure":
            for name, member in shape.members.items():
                yield from self._sites(member, (*steps, ("member", name)), name in shape.required_members)
        elif shape.type_name == "list":
            yield from self._sites(shape.member, (*steps, ("item", "[0]")), False)
        elif shape.type_name == "map":
            yield from self._sites(shape.key, (*steps, ("item", " key")), False)
            yield from self._sites(shape.value, (*steps, ("item", " value")), False)

    def _of_site(self, site):
        for rule, inside, outside in self._rules(site):
            for value in inside:
                if (site.shape.name, rule, value in ("", [])) not in INSIDE_NOT_TRIED:
                    yield self._case(site, rule, value, None)
            for value, given, text in outside:
                yield self._case(site, rule, value, (given, text))

    def _case(self, site, rule, value, refusal):
        given, text = refusal or ("", "")
        base = {**self._base, **self._beside.get(site.steps[0][1], {})}
        body = self._placed(base, self._input, site.steps, value)
        return Case(site.path, rule, refusal is None, body, site.named, given, text, refers(site.shape))

    def _rules(self, site):
        shape = site.shape
        in_body = not self._location(site)
        if site.required and self._location(site) != "uri":
            yield "required", [], [(ABSENT, "", "required")] + ([(None, "", "required")] if in_body else [])
        if in_body and site.steps[-1] != ("item", " key"):
            right = [True, False] if shape.type_name == "boolean" else [self._sample(shape)]
            yield "type", right, _wrong_types(shape)
        if shape.name in KEY_SHAPES:
            yield "pattern", [self._sample(shape)], [("not a key", "not a key", "")]
        elif shape.type_name == "string":
            yield from _text_rules(shape)
        elif shape.type_name in ("integer", "long", "float"):
            yield from _number_rules(shape)
        elif shape.type_name in ("list", "map"):
            yield from self._size_rules(shape)

    def _sample(self, shape, seed=0):
        return sample(shape, seed, self._known)

    def _location(self, site):
        """Where the member that holds it travels, if not in the body."""
        member = self._input.members[site.steps[0][1]]
        return member.serialization.get("location")

    def _placed(self, value, shape, steps, new):
        """A copy of `value` with `new` at `steps`; what is missing on the way is made."""
        if not steps:
            return new
        (kind, step), rest = steps[0], steps[1:]
        if kind == "member":
            made = copy.deepcopy(value)
            either = ALTERNATIVES.get(shape.name, ())
            for other in either if step in either else ():
                if other != step:
                    made.pop(other, None)
            below = made.get(step) if step in made else self._sample(shape.members[step])
            placed = self._placed(below, shape.members[step], rest, new)
            made.pop(step, None) if placed is ABSENT else made.update({step: placed})
            for other, value in self._fitting(step, placed).items():
                made.pop(other, None) if value is None else made.update({other: value})
            return made
        if step == "[0]":
            first = value[0] if value else self._sample(shape.member)
            return [self._placed(first, shape.member, rest, new), *value[1:]]
        if step == " key":
            return {new: self._sample(shape.value)}
        return {self._sample(shape.key): self._placed(self._sample(shape.value), shape.value, rest, new)}

    def _fitting(self, member, value):
        return FITTING.get((member, value), {}) if isinstance(value, str) else {}

    def _size_rules(self, shape):
        low, high = bounds(shape)
        if low:
            yield "size", [self._of_size(shape, low)], [(self._of_size(shape, low - 1), str(low - 1), str(low))]
        elif low == 0:
            yield "size", [self._of_size(shape, 0)], []
        if high is not None:
            over = (self._of_size(shape, high + 1), str(high + 1), str(high))
            yield "size", [self._of_size(shape, high)], [over]

    def _of_size(self, shape, count):
        if shape.type_name == "list":
            return [self._sample(shape.member, i) for i in range(count)]
        return {self._sample(shape.key, i): self._sample(shape.value) for i in range(count)}


def refers(shape):
    """Whether a value is looked up: then a valid one may still lead to nothing."""
    if shape.type_name in ("list", "structure"):
        below = [shape.member] if shape.type_name == "list" else shape.members.values()
        return any(refers(inner) for inner in below)
    if shape.type_name != "string":
        return False
    return "arn:" in (pattern_of(shape) or "") or shape.name.endswith(("Id", "BucketName"))


def _wrong_types(shape):
    return {
        "string": [(7, "number", "string")],
        "integer": [("7", "string", "integer"), (1.5, "number", "integer")],
        "long": [("7", "string", "integer"), (1.5, "number", "integer")],
        "float": [("7.5", "string", "number")],
        "boolean": [("true", "string", "boolean"), (1, "number", "boolean")],
        "timestamp": [(7, "number", "string"), ("yesterday", "yesterday", "time")],
        "list": [({}, "object", "list"), ("x", "string", "list")],
        "map": [([], "list", "object")],
        "structure": [([], "list", "object"), ("x", "string", "object")],
    }[shape.type_name]


def _text_rules(shape):
    low, high = bounds(shape)
    choices, pattern = choices_of(shape), pattern_of(shape)
    if choices:
        wrong = choices[0] + "X"
        yield "enum", choices, [(wrong, wrong, ", ".join(c for c in choices if c))]
        return
    if low:
        short = text_of(shape)
        yield "length", [short], [(short[: low - 1], short[: low - 1], str(low))]
    elif low == 0 and (not pattern or patterns.fits(pattern, "")):
        yield "length", [""], []
    if high:
        longest = text_of(shape, high)
        yield "length", [longest], [(longest + longest[-1], longest[:20], str(high))]
    if pattern and shape.name not in IGNORED_PATTERNS:
        near = text_of(shape, 60) if patterns.fits(pattern, "") and high and high >= 60 else text_of(shape)
        wrong = patterns.outside(pattern, near)
        ends = patterns.edges(pattern)
        inside = ends if ends and (not high or low <= len(ends) <= high) else near
        yield "pattern", [inside], [(wrong, wrong[:20], pattern)]


def _number_rules(shape):
    low, high = bounds(shape)
    step = 0.5 if shape.type_name == "float" else 1
    if low is not None:
        yield "range", [low], [(low - step, json.dumps(low - step), str(low))]
    if high is not None:
        yield "range", [high], [(high + step, json.dumps(high + step), str(high))]
