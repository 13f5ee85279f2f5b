"""Write the training log: one JSON object per line, with the name of an event and its fields.

`make train` shows these lines. SageMaker reads its metrics from the fields of the event `epoch`.
"""

import json


def log_event(event: str, **fields: object) -> None:
    """Print one event, such as `{"event": "epoch", "epoch": 1, "validation_accuracy": 0.91}`."""
    print(json.dumps({"event": event, **fields}), flush=True)
