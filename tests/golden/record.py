"""Records the golden journals anew: Chromium on a stage, composed once, and the journal that was kept of it.

    .venv/bin/python tests/golden/record.py [scenario ...]

Afterwards `make bless` writes the hashes that the new journals are expected to compose to.
"""

import json
import pathlib
import random
import shutil
import socket
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "e2e"))

from conftest import _binary, _client  # noqa: E402
from support import stage as st  # noqa: E402
from support.browser import Browser  # noqa: E402
from support.server import Server, wait_for  # noqa: E402

SIZE = {"width": 640, "height": 360, "maxBitrate": 300_000}
ENCODER = {"width": 640, "height": 360, "framerate": 30.0, "bitrate": 500_000}
# Who publishes: colour and tone. The tests know them too.
GUESTS = {"red": ("#c03030", 500), "green": ("#30a030", 700), "blue": ("#3050c0", 900)}
BYTES_MAX = 5_000_000

MUTE = """([name, kind]) => {
  const sender = connections[name].getSenders().find((s) => s.track && s.track.kind === kind);
  (connections[name].silent ??= {})[kind] = [sender, sender.track];
  return sender.replaceTrack(null);
}"""
UNMUTE = """([name, kind]) => {
  const [sender, track] = connections[name].silent[kind];
  return sender.replaceTrack(track);
}"""
LEAVE = """([name, token]) => fetch(connections[name].resource, {
  method: "DELETE", headers: { Authorization: `Bearer ${token}` } }).then(() => connections[name].close())"""


# The page shall know the way through the relay only.
HIDE_SERVER = """() => {
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
    const lines = sdp.split("\\r\\n").filter((line) => !(line.startsWith("a=candidate") && line.includes(" 127.0.0.1 ")));
    return set.call(this, { type, sdp: lines.join("\\r\\n") });
  };
}"""


class World:
    """A server that keeps its journals, a browser page, and one stage."""

    def __init__(self, folder, browser, config="", flags=None):
        more = {} if flags is None else {"flags": flags}
        self.server = Server(_binary(), folder, config=config + "[journal]\nkeep_hours = 1\n", **more)
        self.realtime = _client("ivs-realtime", self.server.http)
        self.s3 = _client("s3", self.server.s3)
        self.stage = st.make_stage(self.realtime)
        self.page = browser.page()
        self.tokens = {}
        self.compositions = []

    def join(self, name, **how):
        color, hz = GUESTS[name]
        token = self.tokens[name] = st.token(self.realtime, self.stage, name)
        self.page.evaluate("options => publish(options)", {
            "name": name, "whip": self.server.whip, "token": token["token"], "color": color, "hz": hz, **SIZE, **how})
        wait_for(f"{name} is connected",
                 lambda: self.page.evaluate("name => stats(name)", name)["state"] == "connected", 10)

    def leave(self, name):
        self.page.evaluate(LEAVE, [name, self.tokens[name]["token"]])

    def mute(self, name, kind):
        self.page.evaluate(MUTE, [name, kind])

    def unmute(self, name, kind):
        self.page.evaluate(UNMUTE, [name, kind])

    def compose(self, encoder=ENCODER, **layout):
        storage, _ = st.make_storage(self.realtime, self.s3)
        encoder = st.make_encoder(self.realtime, **encoder)
        started = st.start(self.realtime, self.stage, st.to_s3(storage, encoder), **layout)
        st.wait_all_active(self.realtime, started["arn"])
        self.compositions.append(started["arn"])

    def play(self, seconds):
        self.page.wait_for_timeout(seconds * 1000)

    def keep(self, scenario):
        """Ends everything and takes the journal and its first job."""
        for arn in self.compositions:
            st.stop(self.realtime, arn)
        self.page.close()
        self.server.stop()
        into = HERE / scenario
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        sessions = [*self.server.data_dir.glob("journal/*/st-*"), *self.server.data_dir.glob("kept-journals/*/st-*")]
        assert len(sessions) == 1, sessions
        for journal in sessions[0].glob("*.journal"):
            shutil.copy(journal, into)
        first = self.compositions[0].rpartition("/")[2]
        job = json.loads((sessions[0] / f"job-{first}.json").read_text())
        self.write_job(into / "recorded.json", job)
        return into, job

    @staticmethod
    def write_job(path, job):
        path.write_text(json.dumps(job, indent=2) + "\n")


def layout(folder, browser):
    """Three join one after the other, with H.264, simulcast and plain VP8, and two leave."""
    world = World(folder, browser)
    world.join("red", codec="H264")
    world.compose(grid={"gridGap": 4})
    world.play(1.5)
    world.join("green", codec="VP8", simulcast=True)
    world.play(1.5)
    world.join("blue", codec="VP8")
    world.play(2.5)
    world.leave("green")
    world.play(1.5)
    world.leave("red")
    world.play(1.5)
    into, job = world.keep("layout")
    times = {name: job[name] for name in ("start", "end")}
    # The same stage in other ways: layers chosen anew.
    world.write_job(into / "pip.json", {
        **times, "layout": {"pip": {"pipOffset": 8}}, "video": {"width": 320, "height": 180, "framerate": 15}})
    world.write_job(into / "without-green.json", {
        **job, "without": [world.tokens["green"]["participantId"]]})


def mute(folder, browser):
    """Red mutes and comes back, green's camera goes off and on; the other goes on meanwhile."""
    world = World(folder, browser)
    world.join("red", codec="H264")
    world.join("green", codec="VP8")
    world.compose()
    world.play(2)
    world.mute("red", "audio")
    world.play(2.5)
    world.unmute("red", "audio")
    world.play(1.5)
    world.mute("green", "video")
    world.play(2.5)
    world.unmute("green", "video")
    world.play(2.5)
    world.keep("mute")


def layers(folder, browser):
    """Red is alone with the whole canvas; when green joins its slot needs a smaller layer, and then the larger one again.

    Chromium sends two layers of a picture of this size, 320x180 and 160x90.
    """
    world = World(folder, browser)
    world.join("red", codec="VP8", simulcast=True)
    # Until the browser sends all layers that it will.
    world.play(4)
    world.compose({**ENCODER, "width": 320, "height": 180})
    world.play(3)
    world.join("green", codec="VP8")
    world.play(3)
    world.leave("green")
    world.play(3)
    world.keep("layers")


class LossyRelay:
    """Passes UDP from 127.0.0.2 to the same port on 127.0.0.1, and loses media on the way there."""

    def __init__(self, port):
        self.port = port
        self.random = random.Random(4)
        self.share = 0.0
        self.lost = 0
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.2", port))
        self.backs = {}
        threading.Thread(target=self._forward, daemon=True).start()

    def _forward(self):
        while True:
            data, client = self.front.recvfrom(2048)
            # RTP and RTCP begin with version 2; STUN and DTLS pass.
            if data[0] >> 6 == 2 and self.random.random() < self.share:
                self.lost += 1
                continue
            if client not in self.backs:
                back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                back.connect(("127.0.0.1", self.port))
                self.backs[client] = back
                threading.Thread(target=self._back, args=(back, client), daemon=True).start()
            self.backs[client].send(data)

    def _back(self, back, client):
        while True:
            self.front.sendto(back.recv(2048), client)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def loss(folder, browser):
    """Of two, over a network that loses 8 % of the packets for four seconds, and all of them for 0.4 s in between."""
    port = free_port()
    relay = LossyRelay(port)
    config = f'webrtc = "127.0.0.1:{port}"\nwebrtc_advertised = "127.0.0.2"\n'
    world = World(folder, browser, flags=("--http", "--rtmp", "--s3"), config=config)
    world.page.evaluate(HIDE_SERVER)
    world.join("red", codec="H264")
    world.join("green", codec="VP8")
    world.compose()
    world.play(2)
    relay.share = 0.08
    world.play(2)
    relay.share = 1.0
    world.play(0.4)
    relay.share = 0.08
    world.play(2)
    relay.share = 0.0
    world.play(2)
    world.keep("loss")
    assert relay.lost > 50, f"{relay.lost} packets were lost"


SCENARIOS = {scenario.__name__: scenario for scenario in (layout, mute, layers, loss)}


def main():
    for name in sys.argv[1:] or SCENARIOS:
        with tempfile.TemporaryDirectory() as folder, Browser() as browser:
            SCENARIOS[name](pathlib.Path(folder), browser)
        print(name, sum(f.stat().st_size for f in (HERE / name).iterdir()), "bytes")
    total = sum(f.stat().st_size for f in HERE.rglob("*") if f.is_file())
    assert total <= BYTES_MAX, f"{total} bytes, at most {BYTES_MAX}"


if __name__ == "__main__":
    main()
