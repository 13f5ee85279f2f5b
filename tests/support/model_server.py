"""A serving container for tests. Its model is a text file, which contains the response to every request.

If the text is `failing`, the container passes the health check and returns status 500 for every other request. If the
text is `slow`, the container needs five seconds to start. Every container returns status 400 if the content of an image
is `bad`. For other JSON requests, the container returns a list with one response for each image.
"""

import base64
import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = Path(os.environ["SM_MODEL_DIR"], "model.txt").read_text()
if MODEL == "slow":
    time.sleep(5)


class Handler(BaseHTTPRequestHandler):
    """Handle health checks and invocations."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Respond to a health check."""
        self.respond(200, b"")

    def do_POST(self) -> None:
        """Respond to an invocation."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_json = self.headers["Content-Type"] == "application/json"
        images = [base64.b64decode(each["b64"]) for each in json.loads(body)["instances"]] if is_json else [body]
        if b"bad" in images:
            self.respond(400, b"the image is invalid")
        elif MODEL == "failing":
            self.respond(500, b"the model fails")
        else:
            self.respond(200, f"[{', '.join([MODEL] * len(images))}]".encode() if is_json else MODEL.encode())

    def respond(self, status: int, body: bytes) -> None:
        """Send a response."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
