"""Export a trained network to ONNX."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from .data import Split

TOLERANCE = 1e-3  # largest allowed difference between the probabilities of ONNX Runtime and PyTorch
CHECKED = 32  # images on which the two are compared
OPSET = 17


class ExportError(Exception):
    """The exported network's probabilities differ from the trained network's."""


def export(network: torch.nn.Module, split: Split, path: Path) -> None:
    """Write an ONNX file that maps uint8 images, n x height x width x 3, to probabilities, n x classes, for any n.

    Raises
    ------
    ExportError
        The probabilities of ONNX Runtime and PyTorch differ.
    """
    network = network.cpu().eval()
    example = torch.from_numpy(split.images[:2])
    # the TorchScript exporter exists in both torch 2.10, AWS's image, and torch 2.13
    torch.onnx.export(
        network,
        (example,),
        str(path),
        dynamo=False,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_axes={"images": {0: "n"}, "probabilities": {0: "n"}},
        opset_version=OPSET,
    )
    images = split.images[:CHECKED]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (exported,) = session.run(None, {"images": images})
    with torch.inference_mode():
        trained = network(torch.from_numpy(images)).numpy()
    difference = float(np.abs(exported - trained).max())
    if not difference <= TOLERANCE:
        raise ExportError(
            f"the exported probabilities must not differ from the trained network's by more than {TOLERANCE:g} "
            f"(got {difference:g})"
        )
