"""Serve a network with PyTorch, to compare its speed with ONNX Runtime's.

This file replaces training/container/inference.py as the entry point. It does not load the trained weights,
because the speed of a network does not depend on them.
"""

import json
from pathlib import Path
from typing import Any

import torch
from classifier.images import decode_image
from classifier.networks import CalibratedNetwork, make_network


def model_fn(model_dir: str) -> Any:
    """Return the network that `model.json` describes, and the side of its images in pixels."""
    description = json.loads((Path(model_dir) / "model.json").read_text())
    pretrained = bool(description["hyperparameters"]["pretrained"])
    network = make_network(classes=len(description["classes"]), pretrained=pretrained)
    return CalibratedNetwork(network, description["temperature"]).eval(), description["input"]["size"]


def transform_fn(model: Any, body: bytes, content_type: str, accept: str) -> tuple[str, str]:
    """Return the probabilities of one image as JSON, and the media type."""
    network, size = model
    image = torch.from_numpy(decode_image(bytes(body), ("PNG",), size).copy())
    with torch.inference_mode():
        return json.dumps(network(image[None])[0].tolist()), accept
