"""The watch on uploads can fail: each rule of DESIGN.md section 4 that is broken is noticed."""

import pytest

from support.s3_proxy import Request, UploadRules

FOLDER = "s/c/d/composite/media/hls/180p15-x"
ENDED = "s/c/d/composite/events/recording-ended.json"


def violations(*uploads):
    rules = UploadRules()
    for key, body in uploads:
        request = Request(f"PUT /bucket/{key}?x-id=PutObject HTTP/1.1\r\n".encode(), body)
        rules.sending(request)
        rules.confirmed(request)
    return rules.violations


def test_an_orderly_recording_breaks_no_rule():
    assert violations(
        (f"{FOLDER}/0.ts", b"a"), (f"{FOLDER}/playlist.m3u8", b"#EXTINF:2,\n0.ts\n"), (f"{FOLDER}/0.ts", b"a"),
        (f"{FOLDER}/playlist.m3u8", b"#EXTINF:2,\n0.ts\n#EXT-X-ENDLIST\n"), (ENDED, b"{}"), (ENDED, b"{}")) == []


@pytest.mark.parametrize("uploads, what", [
    ([(f"{FOLDER}/playlist.m3u8", b"0.ts\n")], "names 0.ts, which is not there"),
    ([(f"{FOLDER}/0.ts", b"a"), (f"{FOLDER}/0.ts", b"b")], "has two contents"),
    ([(ENDED, b"{}"), (f"{FOLDER}/0.ts", b"a")], "comes after the closing document"),
])
def test_a_broken_rule_is_noticed(uploads, what):
    [violation] = violations(*uploads)
    assert violation.endswith(what)
