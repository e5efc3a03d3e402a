"""nginx-rtmp as somebody else's RTMP server: keeps what is published as FLV, and asks whether it may be."""

import http.server
import pathlib
import socket
import subprocess
import threading

from .server import wait_for

CONFIG = """
load_module modules/ngx_rtmp_module.so;
daemon off;
master_process off;
pid {root}/pid;
error_log {root}/error.log;
events {{ worker_connections 64; }}
rtmp {{ server {{
  listen 127.0.0.1:{port};
  application app {{
    live on;
    on_publish http://127.0.0.1:{gate}/;
    record all;
    record_path {root};
    record_unique on;
  }}
}} }}
"""


class Nginx:
    def __init__(self, folder: pathlib.Path):
        self.folder, self.is_refusing = folder, False
        folder.mkdir()
        (folder / "modules").symlink_to("/usr/lib/nginx/modules")
        self.port = _free_port()
        self._gate = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._gate.serve_forever, daemon=True).start()
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(root=folder, port=self.port, gate=self._gate.server_port))
        self.child = subprocess.Popen(["/usr/sbin/nginx", "-p", folder, "-c", config], stderr=subprocess.DEVNULL)
        wait_for("nginx", self._answers, 10)

    def published(self, stream):
        """What was published under a name, one file for each time."""
        return sorted(self.folder.glob(f"{stream}-*.flv"), key=lambda path: path.stat().st_mtime)

    def close(self):
        self.child.terminate()
        self.child.wait(10)
        self._gate.shutdown()
        self._gate.server_close()

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _handler(nginx):
        class Gate(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(403 if nginx.is_refusing else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Gate


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
