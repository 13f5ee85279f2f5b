"""What training/container/inference.py would be without ONNX Runtime; the benchmark puts it into a model's code.

The network's time does not depend on what its weights learned, so they are drawn, not loaded.
"""

import json
from pathlib import Path
from typing import Any

import torch
from networks import Probabilities, make_network
from pictures import picture


def model_fn(model_dir: str) -> Any:
    """The network that `model.json` describes."""
    description = json.loads((Path(model_dir) / "model.json").read_text())
    pretrained = bool(description["hyperparameters"]["pretrained"])
    network = make_network(classes=len(description["classes"]), pretrained=pretrained)
    return Probabilities(network, description["temperature"]).eval(), description["input"]["size"]


def transform_fn(model: Any, body: bytes, content_type: str, accept: str) -> tuple[str, str]:
    """One image's probabilities."""
    network, size = model
    image = torch.from_numpy(picture(bytes(body), ("PNG",), size).copy())
    with torch.inference_mode():
        return json.dumps(network(image[None])[0].tolist()), accept
