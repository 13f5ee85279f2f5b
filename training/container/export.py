"""From a trained network to one ONNX file that answers the same."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from data import Split

TOLERANCE = 1e-3  # between ONNX Runtime's probabilities and torch's
CHECKED = 32  # rows on which both are asked
OPSET = 17


class ExportError(Exception):
    """The exported network answers differently from the trained one."""


def export(network: torch.nn.Module, split: Split, path: Path) -> None:
    """Write `path`: uint8 images n x height x width x 3 to probabilities n x classes, for any n.

    Raises
    ------
    ExportError
        ONNX Runtime's answers are not torch's.
    """
    network = network.cpu().eval()
    example = torch.from_numpy(split.images[:2])
    # the exporter that torch 2.6 (AWS's image) and 2.13 both have
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
    rows = split.images[:CHECKED]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (served,) = session.run(None, {"images": rows})
    with torch.inference_mode():
        trained = network(torch.from_numpy(rows)).numpy()
    worst = float(np.abs(served - trained).max())
    if not worst <= TOLERANCE:
        raise ExportError(f"the exported network's answers differ from the trained one's by {worst:g}")
