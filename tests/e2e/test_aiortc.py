"""aiortc, an independent WebRTC stack, as publisher and as subscriber."""

import asyncio

import numpy as np
from aiortc import RTCPeerConnection, RTCRtpSender
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from av import VideoFrame

from support import recording as rec
from support import stage as st
from support.peer import exchange

COLOR = (40, 160, 60)


class Plain(VideoStreamTrack):
    """One colour, 30 frames a second."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        picture = np.empty((360, 640, 3), np.uint8)
        picture[:] = COLOR
        picture[:20, : (pts // 3000) % 640] = 255
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


async def publish(url, token, mime):
    connection = RTCPeerConnection()
    connection.addTransceiver(AudioStreamTrack(), direction="sendonly")
    video = connection.addTransceiver(Plain(), direction="sendonly")
    codecs = RTCRtpSender.getCapabilities("video").codecs
    video.setCodecPreferences([codec for codec in codecs if codec.mimeType == mime])
    await exchange(connection, url, token)
    return connection


async def received_frames(url, token, count):
    connection = RTCPeerConnection()
    arrived = asyncio.get_running_loop().create_future()

    @connection.on("track")
    def on_track(track):
        if track.kind == "video":
            asyncio.ensure_future(read(track))

    async def read(track):
        frames = [await track.recv() for _ in range(count)]
        arrived.set_result(frames)

    connection.addTransceiver("audio", direction="recvonly")
    connection.addTransceiver("video", direction="recvonly")
    await exchange(connection, url, token)
    frames = await asyncio.wait_for(arrived, 15)
    await connection.close()
    return frames


def test_aiortc_publishes_and_subscribes_and_is_composed(server, realtime, s3, tmp_path):
    stage = st.make_stage(realtime)
    storage, bucket = st.make_storage(realtime, s3)
    encoder = st.make_encoder(realtime, width=640, height=360, bitrate=800_000)

    async def scenario():
        guests = [st.token(realtime, stage, name) for name in ("vp8", "h264")]
        connections = [
            await publish(server.whip, guest["token"], mime)
            for guest, mime in zip(guests, ("video/VP8", "video/H264"))
        ]
        started = st.start(realtime, stage, st.to_s3(storage, encoder))
        await asyncio.to_thread(st.wait_all_active, realtime, started["arn"])
        viewer = st.token(realtime, stage, "viewer", capabilities=["SUBSCRIBE"])["token"]
        for guest in guests:
            frames = await received_frames(f"{server.whip}/subscribe/{guest['participantId']}", viewer, 30)
            middle = frames[-1].to_ndarray(format="rgb24")[200:220, 300:320].reshape(-1, 3).mean(axis=0)
            assert rec.near(middle, COLOR), middle
        await asyncio.to_thread(st.stop, realtime, started["arn"])
        for connection in connections:
            await connection.close()
        return started

    started = asyncio.run(scenario())
    recording = rec.download(s3, bucket, st.prefix_of(started), tmp_path)
    recording.assert_whole()
    frame = recording.frames()[-45]
    # Two tiles in a 640x360 canvas stand side by side or above each other; both centres are inside a tile.
    middle_left, middle_right = rec.mean_color(frame, 0.3, 0.5), rec.mean_color(frame, 0.7, 0.5)
    assert rec.near(middle_left, COLOR) and rec.near(middle_right, COLOR), (middle_left, middle_right)
