"""Export a trained network to ONNX."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch

from .data import Split
from .embedding import EmbeddingNetwork

# Each output's largest allowed difference between ONNX Runtime and PyTorch. The embedding's tolerance is larger,
# because each component has a variance of about 1.
TOLERANCES = {"probabilities": 1e-3, "embedding": 1e-2}
CHECKED = 32  # number of images on which ONNX Runtime and PyTorch are compared
OPSET = 17


class ExportError(Exception):
    """The exported network's outputs differ from the trained network's."""


def export(network: EmbeddingNetwork, split: Split, path: Path) -> None:
    """Export a network to an ONNX file, and compare the outputs of both on validation images.

    The input `images` is uint8, n x height x width x 3, for any n. The outputs are `probabilities`, n x classes, and
    `embedding`, n x dimensions.

    Parameters
    ----------
    network : trained and calibrated network
    split : validation images
    path : path of the ONNX file

    Raises
    ------
    ExportError
        The outputs of ONNX Runtime and PyTorch differ by more than TOLERANCES.
    """
    network = network.cpu().eval()
    example = torch.from_numpy(split.images[:2])
    # the TorchScript exporter exists in torch 2.10, which AWS's image contains, and in torch 2.13
    torch.onnx.export(
        network,
        (example,),
        str(path),
        dynamo=False,
        input_names=["images"],
        output_names=list(TOLERANCES),
        dynamic_axes={name: {0: "n"} for name in ("images", *TOLERANCES)},
        opset_version=OPSET,
    )
    images = split.images[:CHECKED]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    exported = session.run(list(TOLERANCES), {"images": images})
    with torch.inference_mode():
        trained = network(torch.from_numpy(images))
    for (name, tolerance), in_onnx, in_torch in zip(TOLERANCES.items(), exported, trained, strict=True):
        difference = float(np.abs(in_onnx - in_torch.numpy()).max())
        if not difference <= tolerance:
            raise ExportError(
                f"the exported {name} must not differ from the trained network's by more than {tolerance:g} "
                f"(got {difference:g})"
            )
