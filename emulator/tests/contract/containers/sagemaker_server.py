"""An inference container for tests.

The model is a text file. If the text is a JSON list, every response is this list. Otherwise the response describes the
request. Some request bodies and models have special effects:

body `die`       The server exits.
body `bad`       The response has the status 400.
body `broken`    The response has the status 500.
body `slow`      The response takes one second.
model `failing`  All responses have the status 500.
model `slow`     The server takes three seconds to start.
model `broken`   The server does not start.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MODEL = Path(os.environ["SM_MODEL_DIR"], "model.txt").read_text()
if MODEL == "broken":
    sys.exit("this model cannot be loaded")
if MODEL == "slow":
    time.sleep(3)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.respond(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"die":
            os._exit(1)
        if body == b"bad":
            return self.respond(400, b"unknown vehicle")
        if body == b"broken" or MODEL == "failing":
            return self.respond(500, b"the model is broken")
        if body == b"slow":
            print("slowly", flush=True)
            time.sleep(1)
        if MODEL.startswith("["):
            return self.respond(200, MODEL.encode())
        description = {
            "model": MODEL,
            "pid": os.getpid(),
            "length": len(body),
            "content_type": self.headers["Content-Type"],
            "accept": self.headers["Accept"],
            "environment": os.environ.get("MINE"),
        }
        return self.respond(200, json.dumps(description).encode())

    def respond(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if attributes := self.headers["X-Amzn-SageMaker-Custom-Attributes"]:
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", attributes + ",seen")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        print(*arguments, flush=True)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
