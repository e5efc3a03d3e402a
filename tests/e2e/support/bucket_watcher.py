"""Reads recordings in their buckets all the while and notes what breaks the rules of DESIGN.md section 4."""

import hashlib
import threading
import time

from botocore.exceptions import ClientError

LOOK_EVERY_S = 0.1


class BucketWatcher:
    """Watches recordings, given as (bucket, prefix), until it is left."""

    def __init__(self, s3):
        self.violations = []
        self.looks = 0
        self._s3 = s3
        self._recordings = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def add(self, bucket, prefix):
        self._recordings[bucket, prefix] = _Seen()

    def growth(self, bucket, prefix):
        """When the playlist in the bucket was seen with how many segments: (monotonic time, segments)."""
        return list(self._recordings[bucket, prefix].growth)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(30)
        for (bucket, prefix), seen in self._recordings.items():
            for key, digest in seen.digests.items():
                now = self._get(bucket, key)
                # Somebody may delete a bucket, but nobody changes an object.
                if now is not None and hashlib.sha256(now).hexdigest() != digest:
                    self.violations.append(f"{key} has two contents")

    def _watch(self):
        while not self._over.wait(LOOK_EVERY_S):
            for (bucket, prefix), seen in list(self._recordings.items()):
                try:
                    self._look(bucket, prefix, seen)
                except ClientError as error:
                    self.violations.append(f"{bucket} cannot be read: {error}")
                self.looks += 1

    def _look(self, bucket, prefix, seen):
        # What is read first was stored first, so the reader sees an order that was never there if it reads the other way.
        closed = self._get(bucket, f"{prefix}/events/recording-ended.json") is not None
        playlist = self._playlist(bucket, prefix, seen)
        if playlist is None:
            if closed and self._get(bucket, f"{prefix}/media/hls/multivariant.m3u8") is None:
                self.violations.append(f"{prefix}: recording-ended.json before the playlists")
            return
        key, text = playlist
        if closed and "#EXT-X-ENDLIST" not in text:
            self.violations.append(f"{prefix}: recording-ended.json while the playlist is open")
        names = [line for line in text.splitlines() if line and line[0] != "#"]
        if len(names) < seen.segments:
            self.violations.append(f"{key} has shrunk from {seen.segments} to {len(names)} segments")
        if len(names) > seen.segments:
            seen.growth.append((time.monotonic(), len(names)))
        for name in names[seen.segments:]:
            segment = f"{key.rpartition('/')[0]}/{name}"
            content = self._get(bucket, segment)
            if content is None and self._get(bucket, key) is not None:
                self.violations.append(f"{key} names {name}, which is not there")
            elif content is not None:
                seen.digests[segment] = hashlib.sha256(content).hexdigest()
        seen.segments = len(names)

    def _playlist(self, bucket, prefix, seen):
        if seen.playlist is None:
            found = self._call(self._s3.list_objects_v2, Bucket=bucket, Prefix=f"{prefix}/media/hls/")
            keys = [item["Key"] for item in (found or {}).get("Contents", [])]
            seen.playlist = next((key for key in keys if key.endswith("/playlist.m3u8")), None)
        text = seen.playlist and self._get(bucket, seen.playlist)
        return (seen.playlist, text.decode()) if text else None

    def _get(self, bucket, key):
        answer = self._call(self._s3.get_object, Bucket=bucket, Key=key)
        return answer and answer["Body"].read()

    @staticmethod
    def _call(operation, **arguments):
        try:
            return operation(**arguments)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise


class _Seen:
    def __init__(self):
        self.playlist, self.segments = None, 0
        self.digests, self.growth = {}, []
