"""Networks that do more than lose packets, and peers that mean harm: limits hold, others are unharmed."""

import contextlib
import random
import socket
import threading
import time
import urllib.parse

from support import recording as rec
from support import stage as st
from support.background import Background
from support.relay import Relay
from support.server import Server, wait_for

# Below the 1,280 that IPv6 allows: nothing of a publisher or of ours may need them.
MTU = 1_200
COLOR, HZ = "c03030", 700
# A picture of one participant fills the canvas.
MIDDLE = (0.5, 0.5)
FLOOD_BITS_PER_S, DATAGRAM_BYTES = 50_000_000, 1_200
CONNECTIONS = 1_000
FLOOD_S = 6
JOINS = 8
# A beep's edge is found in steps of 2 ms.
SKEW_LIMIT_S = 0.040


@contextlib.contextmanager
def composing(server, realtime, s3, whip, tmp_path):
    """One participant is recorded meanwhile; yields what counts the segments, then fetches the recording into a list."""
    stage, (storage, bucket) = st.make_stage(realtime), st.make_storage(realtime, s3)
    encoder = st.make_encoder(realtime, width=640, height=360, bitrate=800_000)
    token = st.token(realtime, stage, "ada")["token"]
    publisher = server.publish(
        token, "--color", COLOR, "--tone", str(HZ), "--size", "640x360", "--bitrate", "600000", whip=whip)
    recordings = []
    try:
        started = st.start(realtime, stage, st.to_s3(storage, encoder))
        st.wait_all_active(realtime, started["arn"])
        prefix = st.prefix_of(started)
        yield lambda: rec.segment_count(s3, bucket, prefix), recordings
        st.stop(realtime, started["arn"])
    finally:
        publisher.stop()
    rec.wait_until_ended(s3, bucket, prefix)
    recordings.append(rec.download(s3, bucket, prefix, tmp_path / "recording"))


def flashes_and_offsets(recording):
    recording.assert_whole()
    flashes = rec.flashes(recording.frames(), *MIDDLE)
    return flashes, rec.pair_offsets(flashes, rec.beeps(recording.sound(), HZ))


def test_doubled_packets_a_small_mtu_and_a_forgetful_nat(server, realtime, s3, tmp_path, faults):
    background = Background()
    with Relay(server.whip, background, 0, 0.010, doubled=0.2, mtu=MTU) as relay:
        with composing(server, realtime, s3, relay.whip, tmp_path) as (segments, recordings):
            wait_for("segments", lambda: segments() >= 3, 30)
            relay.rebind()
            before = segments()
            wait_for("segments", lambda: segments() >= before + 5, 30)
        assert relay.too_long == 0
    background.close()
    flashes, offsets = flashes_and_offsets(recordings[0])
    starts = flashes[:, 0]
    # The NAT forgets for once: until the next STUN check, which is sent every few seconds, nothing comes.
    gaps = starts[1:] - starts[:-1]
    assert (gaps > 1.5).sum() <= 1 and gaps.max() < 8, gaps
    assert starts[-1] > starts[gaps.argmax()] + 2, "seen again after the NAT forgot"
    # What was white when the NAT forgot stays so until media comes again.
    assert sorted(abs(offsets))[-2] <= SKEW_LIMIT_S, offsets
    faults.record("Network", "a fifth of all packets comes twice", "sound and picture within 40 ms")
    faults.record("Network", f"packets of more than {MTU} bytes are lost", "none is that long, IP and UDP included")
    faults.record("Network", "a NAT gives the publisher another port", "its picture is back within 8 s, in sync; no frame is missing")


def test_who_loses_every_tenth_packet_can_join(server, realtime, faults):
    background, stage = Background(), st.make_stage(realtime)
    with Relay(server.whip, background, 0.1, 0.010) as relay:
        for number in range(JOINS):
            token = st.token(realtime, stage, f"p{number}")["token"]
            server.publish(token, "--size", "160x90", "--bitrate", "100000", whip=relay.whip).stop()
    background.close()
    faults.record("Network", "a tenth of all packets lost while joining", "everybody is connected; a lost flight of DTLS is repeated")


def flood(port, stop):
    """Datagrams that belong to nobody: noise, and what looks like STUN, DTLS and RTP."""
    chance = random.Random(5)
    noise = [bytes([first]) + chance.randbytes(DATAGRAM_BYTES - 1) for first in (0, 1, 22, 128, 200, 255)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        begun, sent = time.monotonic(), 0
        while not stop.is_set():
            due = (time.monotonic() - begun) * FLOOD_BITS_PER_S / 8 / DATAGRAM_BYTES
            while sent < due:
                sender.sendto(noise[sent % len(noise)], ("127.0.0.1", port))
                sent += 1
            stop.wait(0.005)
    return sent


def port_of(url):
    return urllib.parse.urlsplit(url if "//" in url else f"//{url}").port


def connect(port):
    with contextlib.suppress(OSError):
        connection = socket.create_connection(("127.0.0.1", port), 2)
        connection.settimeout(1)
        return connection
    return None


def test_floods_and_a_thousand_connections_harm_nobody_else(binary, make_client, tmp_path, faults):
    with Server(binary, tmp_path / "server") as server:
        realtime, s3 = make_client("ivs-realtime", server.http), make_client("s3", server.s3)
        media = port_of(server.endpoints["webrtc"])
        with composing(server, realtime, s3, server.whip, tmp_path) as (segments, recordings):
            stop, open_connections = threading.Event(), []
            flooding = threading.Thread(target=flood, args=(media, stop))
            flooding.start()
            try:
                for port in (port_of(server.http), port_of(server.rtmp), media):
                    open_connections += filter(None, (connect(port) for _ in range(CONNECTIONS)))
                until = time.monotonic() + FLOOD_S
                while time.monotonic() < until:
                    realtime.list_stages()
                before = segments()
                wait_for("segments", lambda: segments() >= before + 2, 30)
                # Who comes now is taken, too.
                guest = st.token(realtime, realtime.list_stages()["stages"][0]["arn"], "late")["token"]
                server.publish(guest, "--size", "320x180").stop()
            finally:
                stop.set()
                flooding.join()
                for connection in open_connections:
                    connection.close()
    flashes, offsets = flashes_and_offsets(recordings[0])
    gaps = flashes[1:, 0] - flashes[:-1, 0]
    assert gaps.max() < 1.5, gaps
    assert abs(offsets).max() <= SKEW_LIMIT_S, offsets
    faults.record("Network", "50 Mb/s of datagrams from a stranger", "the recording is whole and in sync, newcomers are taken")
    faults.record(
        "Network", "1,000 idle connections to each of HTTP, RTMP and ICE-TCP", "the API answers, the recording is whole, newcomers are taken")
