"""Open an exported model."""

from pathlib import Path

import onnxruntime


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Return an ONNX Runtime session that runs each request on one thread."""
    options = onnxruntime.SessionOptions()
    # Requests run in parallel. If a request used several threads, these threads would spin while they wait, and slow
    # down the other requests.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
