"""A real server on this machine that takes webhooks, for tests to allow in WEBHOOK_ALLOW."""

import contextlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """Answers with `replies` in turn, then 204; keeps what came."""

    replies: list = field(default_factory=list)
    """Each a status, or (status, headers, body), or a function that writes to the connection."""
    slow: float = 0.0
    got: list = field(default_factory=list)
    """(path, headers, body) of each request."""

    def __enter__(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, dict(self.headers), body))
                time.sleep(receiver.slow)
                reply = receiver.replies.pop(0) if receiver.replies else 204
                if callable(reply):
                    with contextlib.suppress(OSError):  # the other side has had enough
                        reply(self.wfile)
                    return
                status, headers, text = reply if isinstance(reply, tuple) else (reply, {}, b"")
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(text))} | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def authority(self):
        return f"127.0.0.1:{self.server.server_port}"

    @property
    def address(self):
        return f"http://{self.authority}/hook?from=tonalist"
