"""Texts that match a pattern of the models, and texts that just do not."""

import re
import string
import warnings

import regex

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from re import _constants as op
    from re import _parser as parser

# `re` does not know Unicode categories; for making texts a few of their members do.
_CATEGORIES = {r"\p{L}": "a-zA-Z\u00e9\u4e16", r"\p{Z}": " ", r"\p{N}": "0-9"}
_ALPHABET = string.ascii_letters + string.digits
# What an outside value is made of, beside the neighbours of each range.
_STRANGERS = "!#\u00e9 \n"


def fits(pattern, text):
    """Patterns of the models cover the whole value."""
    return regex.fullmatch(pattern, text) is not None


def matching(pattern, length=None, low=0, seed=0):
    """A text that matches: of `length` characters, else of as few as `low` allows. Its last repeat is what grows."""
    known = pattern
    for category, members in _CATEGORIES.items():
        known = known.replace(category, members)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = list(parser.parse(known))
    texts = _branches(tree)
    for branch in texts:
        text = _grown(branch, low if length is None else length, exact=length is not None, seed=seed)
        if text is not None and fits(pattern, text):
            return text
    raise AssertionError(f"nothing of length {length} made for {pattern}")


def outside(pattern, inside):
    """A text of the same length that does not match: one character is a neighbour of what is allowed."""
    for stranger in _neighbours(pattern) + list(_STRANGERS):
        for at in (len(inside) - 1, 0):
            text = inside[:at] + stranger + inside[at + 1:]
            if inside and not fits(pattern, text):
                return text
    raise AssertionError(f"everything matches {pattern}")


def edges(pattern):
    """The first and last character of every range, for patterns that are one repeated class; else None."""
    one_class = re.fullmatch(r"\(?\[(.+)\][*+]\)?", pattern)
    if not one_class:
        return None
    ends = "".join(_range_ends(one_class.group(1)))
    return ends if fits(pattern, ends) else None


def _range_ends(inner):
    for category, members in (("\\p{L}", "a\u4e16"), ("\\p{Z}", " "), ("\\p{N}", "09")):
        if category in inner:
            inner = inner.replace(category, "")
            yield members
    inner = inner.replace("\\s", " ").replace("\\", "")
    for low, high, single in re.findall(r"([a-zA-Z0-9])-([a-zA-Z0-9])|(.)", inner):
        yield single or low + high


def _neighbours(pattern):
    found = []
    for low, high in re.findall(r"([a-zA-Z0-9])-([a-zA-Z0-9])", pattern):
        found += [chr(ord(high) + 1), chr(ord(low) - 1)]
    return found


def _branches(tree):
    """The alternatives of a pattern, each a list of (allowed characters, at least, at most)."""
    tree = [piece for piece in tree if piece[0] is not op.AT]
    if len(tree) == 1 and tree[0][0] is op.BRANCH:
        return [pieces for branch in tree[0][1][1] for pieces in _branches(list(branch))]
    return [_pieces(tree)]


def _pieces(tree):
    pieces = []
    for kind, value in tree:
        if kind is op.LITERAL:
            pieces.append((chr(value), 1, 1))
        elif kind is op.ANY:
            pieces.append(("x", 1, 1))
        elif kind is op.IN:
            pieces.append((_members(value), 1, 1))
        elif kind is op.MAX_REPEAT:
            least, most, inner = value
            [(allowed, _, _)] = _pieces(list(inner)) if len(inner) == 1 else [("", 0, 0)]
            pieces.append((allowed, least, int(most) if most is not op.MAXREPEAT else 1 << 16))
        elif kind is op.SUBPATTERN:
            pieces += _pieces(list(value[-1]))
        else:
            raise AssertionError(f"{kind} in a pattern of the models")
    return pieces


def _members(items):
    allowed = ""
    for kind, value in items:
        if kind is op.LITERAL:
            allowed += chr(value)
        elif kind is op.RANGE:
            allowed += "".join(chr(c) for c in range(value[0], value[1] + 1))
        else:
            assert kind is op.CATEGORY, kind
            allowed += " "
    preferred = [c for c in _ALPHABET if c in allowed]
    return "".join(preferred) or allowed


def _grown(pieces, length, exact, seed):
    counts = [least for _, least, _ in pieces]
    missing = length - sum(counts)
    if missing < 0:
        if exact:
            return None
        missing = 0
    for i in reversed(range(len(pieces))):
        more = min(missing, pieces[i][2] - counts[i])
        counts[i] += more
        missing -= more
    if missing and exact:
        return None
    text = "".join((allowed[:1] or "") * n for (allowed, _, _), n in zip(pieces, counts))
    return _varied(pieces, counts, text, seed)


def _varied(pieces, counts, text, seed):
    """Another text for each seed: the seed is written into the last repeat, growing it by a digit if need be."""
    if not seed or not pieces or len(pieces[-1][0]) < 2:
        return text
    allowed, _, most = pieces[-1]
    number = ""
    while seed:
        seed, digit = divmod(seed, len(allowed))
        number += allowed[digit]
    kept = max(counts[-1], len(number))
    if kept > most:
        return text
    return text[: len(text) - counts[-1]] + (allowed[0] * kept + number)[-kept:]
