"""Runs `proscenium serve` and `proscenium publish`, and ends them whatever happens."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time

READY_LIMIT_S = 30
STOP_LIMIT_S = 15
PUBLISH_LIMIT_S = 30


def wait_for(what, condition, limit_s, every_s=0.1):
    """Asks `condition` until it answers something true, for at most `limit_s`; returns the answer."""
    deadline = time.monotonic() + limit_s
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what}: not within {limit_s} s"
        time.sleep(every_s)


class Process:
    """A child whose output is kept, line by line."""

    def __init__(self, arguments, env=None, log=None, own_group=False):
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("PROSCENIUM_", "AWS_"))}
        self.lines = []
        self._log = open(log, "ab") if log else subprocess.DEVNULL
        self.child = subprocess.Popen(
            [str(a) for a in arguments], env={**clean, **(env or {})}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log,
            # A group of its own hears no Ctrl-C from the terminal.
            start_new_session=own_group,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.append(line.rstrip("\n"))

    def line_with(self, prefix, limit_s):
        """The rest of the first line that starts with `prefix`."""

        def found():
            for line in self.lines:
                if line.startswith(prefix):
                    return line
            assert self.child.poll() is None, f"exited with {self.child.returncode}: {self.lines}"
            return None

        return wait_for(f"line {prefix!r}", found, limit_s)[len(prefix):].strip()

    def stop(self, limit_s=STOP_LIMIT_S):
        """SIGTERM, then SIGKILL; returns the exit status."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise
        finally:
            self._reader.join(2)


class Server(Process):
    """`proscenium serve` on free loopback ports."""

    def __init__(self, binary, folder: pathlib.Path, config="", env=None, flags=("--http", "--rtmp", "--s3", "--webrtc")):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data_dir = folder / "data"
        self.binary = binary
        self.log = folder / "server.log"
        any_port = "127.0.0.1:0"
        arguments = [binary, "serve", "--data-dir", self.data_dir]
        for flag in flags:
            arguments += [flag, any_port]
        if config:
            (folder / "proscenium.toml").write_text(config)
            arguments += ["--config", folder / "proscenium.toml"]
        super().__init__(arguments, env=env, log=self.log)
        try:
            self.endpoints = json.loads(self.line_with("READY ", READY_LIMIT_S))
        except BaseException:
            self.child.kill()
            print(self.log.read_text()[-4000:])
            raise
        self.http = self.endpoints["http"]
        self.s3 = self.endpoints["s3"]
        self.rtmp = self.endpoints["rtmp"]
        self.page = self.endpoints["page"]
        self.whip = self.http + "/whip"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.stop()

    def publish(self, token, *options, whip=None):
        """Starts a publisher and waits until its media flows."""
        publisher = Process(
            [self.binary, "publish", "--whip", whip or self.whip, "--token", token, *options],
            log=self.folder / "publish.log",
        )
        publisher.line_with("PUBLISHING ", PUBLISH_LIMIT_S)
        return publisher

    def worker_pids(self):
        """The composition workers that are children of this server."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.child.pid), "-f", "compose"], capture_output=True, text=True
        )
        return [int(pid) for pid in found.stdout.split()]
