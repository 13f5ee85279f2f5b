"""Serve a network with eager PyTorch, to compare the speed with ONNX Runtime's.

The benchmark copies this file into the model directory as `inference.py`, in place of the project's entry point
`training/container/inference.py`. It serves the network with random or pretrained weights instead of the trained ones,
because the speed does not depend on the weights.
"""

import json
from pathlib import Path
from typing import Any

import torch
from classifier.images import decode_image
from classifier.networks import CalibratedNetwork, make_network


def model_fn(model_dir: str) -> Any:
    """Return the network that `model.json` describes, and the side in pixels to which images are resized."""
    description = json.loads((Path(model_dir) / "model.json").read_text())
    pretrained = bool(description["hyperparameters"]["pretrained"])
    network = make_network(classes=len(description["classes"]), pretrained=pretrained)
    return CalibratedNetwork(network, description["temperature"]).eval(), description["input"]["size"]


def transform_fn(model: Any, body: bytes, content_type: str, accept: str) -> tuple[str, str]:
    """Return the class probabilities of one image as JSON, and their media type."""
    network, size = model
    image = torch.from_numpy(decode_image(bytes(body), ("PNG",), size).copy())
    with torch.inference_mode():
        return json.dumps(network(image[None])[0].tolist()), accept
