"""Headless Chromium pages that publish, subscribe and play."""

import http.server
import pathlib
import threading

from playwright.sync_api import sync_playwright

HERE = pathlib.Path(__file__).parent
HLS_JS = HERE.parents[2] / "web/node_modules/hls.js/dist/hls.min.js"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=fps=30",
]


class _Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = {"/": HERE / "browser.html", "/hls.js": HLS_JS}.get(self.path)
        self.send_response(200 if path else 404)
        self.send_header("Content-Type", "text/javascript" if self.path.endswith(".js") else "text/html")
        self.end_headers()
        if path:
            self.wfile.write(path.read_bytes())

    def log_message(self, *_):
        pass


class Browser:
    """One Chromium; each page has its own name."""

    def __init__(self, *more_flags):
        self.files = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
        threading.Thread(target=self.files.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.files.server_port}/"
        self.playwright = sync_playwright().start()
        self.chromium = self.playwright.chromium.launch(
            executable_path="/usr/bin/chromium", headless=True, args=[*FLAGS, *more_flags])
        self.context = self.chromium.new_context(permissions=["camera", "microphone"])

    def page(self, url=None):
        page = self.context.new_page()
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: print("page error:", error))
        page.goto(url or self.url)
        return page

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.chromium.close()
        self.playwright.stop()
        self.files.shutdown()
