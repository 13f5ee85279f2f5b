"""A container whose training follows its hyperparameters and whose server reports its model and the request."""

import http.server
import json
import os
import signal
import sys
import time
from pathlib import Path


def train() -> None:
    base = Path(os.environ["SAGEMAKER_BASE_DIR"])
    parameters = json.loads((base / "input/config/hyperparameters.json").read_text())
    print("loss=0.75", flush=True)
    (base / "model" / "weights.txt").write_text(parameters.get("weights", "none"))
    data = {
        path.relative_to(base).as_posix(): path.read_text() for path in sorted((base / "input/data").rglob("*.txt"))
    }
    (base / "output/data" / "seen.json").write_text(json.dumps(data))
    if parameters.get("wait"):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("waiting", flush=True)
        time.sleep(600)
    if parameters.get("fail"):
        (base / "output" / "failure").write_text(parameters["fail"])
        sys.exit(3)
    print("loss=0.25", flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.respond(200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"die":
            os._exit(1)
        if body == b"refuse":
            self.respond(400, b"refused")
            return
        weights = (Path(os.environ["SM_MODEL_DIR"]) / "weights.txt").read_text()
        self.respond(200, json.dumps({"weights": weights, "length": len(body)}).encode())

    def log_message(self, *_: object) -> None:
        pass


def serve() -> None:
    if (Path(os.environ["SM_MODEL_DIR"]) / "weights.txt").read_text() == "broken":
        sys.exit("cannot serve these weights")
    port = int(os.environ["SAGEMAKER_BIND_TO_PORT"])
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    {"train": train, "serve": serve}[sys.argv[1]]()
