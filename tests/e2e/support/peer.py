"""aiortc's side of WHIP."""

import asyncio

import requests
from aiortc import RTCSessionDescription


async def exchange(connection, url, token):
    await connection.setLocalDescription(await connection.createOffer())
    headers = {"Content-Type": "application/sdp", "Authorization": f"Bearer {token}"}
    answer = await asyncio.to_thread(
        requests.post, url, data=connection.localDescription.sdp, headers=headers, timeout=10)
    assert answer.status_code == 201, answer.text
    await connection.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
