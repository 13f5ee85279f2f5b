"""Open an exported model."""

from pathlib import Path

import onnxruntime


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Return a session that runs a model on one thread."""
    options = onnxruntime.SessionOptions()
    # One thread per request: requests run in parallel, and the spinning threads of one would slow down the others.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
