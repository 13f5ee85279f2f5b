"""The training job: read and check the configuration and data, train, and write the model."""

import json
import os
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagelocal.containers.image_classification import channels, training_log
from sagelocal.containers.image_classification.errors import CustomerError, UnsupportedError
from sagelocal.containers.image_classification.hyperparameters import Hyperparameters, check_supported, parse

# https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html#IC-instances
GPU = re.compile(r"ml\.(p2|p3|g4dn|g5)\.")
CUSTOMER_ERROR, ALGORITHM_ERROR = 2, 1  # exit statuses


def run() -> int:
    """Run the training job and return its exit status; if it fails, write the reason to the failure file."""
    training_log.configure()
    try:
        train()
    except CustomerError as error:
        training_log.logger.error("Customer Error: %s", error)
        return _fail(f"ClientError: {error}", CUSTOMER_ERROR)
    except UnsupportedError as error:
        training_log.logger.error("%s", error)
        return _fail(str(error), ALGORITHM_ERROR)
    except Exception as error:
        traceback.print_exc()
        return _fail(f"{type(error).__name__}: {error}", ALGORITHM_ERROR)
    return 0


def train() -> None:
    """Check the job's configuration and data, train, and write the model.

    Raises
    ------
    CustomerError
        If the configuration or the data is wrong.
    UnsupportedError
        If the job needs a feature that the emulator does not support.
    """
    config = _folder("SM_INPUT_CONFIG_DIR", "/opt/ml/input/config")
    provided = _read(config / "hyperparameters.json")
    resources = _read(config / "resourceconfig.json")
    check_instance(resources["current_instance_type"])
    training_log.log_provided(provided)
    hyperparameters = parse(provided)
    packed = channels.check(_read(config / "inputdataconfig.json"))
    check_supported(hyperparameters)
    if len(resources["hosts"]) > 1:
        raise UnsupportedError("training on more than one instance")
    training_log.log_parameters(hyperparameters)
    data = _folder("SM_INPUT_DATA_DIR", "/opt/ml/input/data")
    training, validation = (channels.read(data, name, hyperparameters, packed=packed) for name in channels.SPLITS)
    channels.check_count(training, hyperparameters)
    _fit(training, validation, hyperparameters, _folder("SM_MODEL_DIR", "/opt/ml/model"))


def check_instance(instance_type: str) -> None:
    """Raise an error with AWS's message if the algorithm does not support an instance type.

    Raises
    ------
    CustomerError
        If the instance type is not one of the GPU instances that AWS documents.
    """
    if not GPU.match(instance_type):
        raise CustomerError(
            f"Instance type {instance_type} is not supported by algorithm image-classification; only GPU instances "
            "are supported (ml.p2, ml.p3, ml.g4dn, ml.g5)."
        )


def _fit(training: channels.Split, validation: channels.Split, hyperparameters: Hyperparameters, folder: Path) -> None:
    # imported late, because importing torch takes seconds, and an invalid job should fail immediately
    import torch

    from sagelocal.containers.image_classification import model_files, training_loop
    from sagelocal.containers.image_classification.checkpoint import Checkpoints

    torch.manual_seed(training_loop.SEED)
    network = model_files.create(hyperparameters)

    def write(epoch: int) -> Path:
        path = model_files.save(network, hyperparameters, folder, epoch)
        training_log.logger.info('Saved checkpoint to "%s"', path)
        return path

    def save(epoch: int, best: float | None) -> None:
        if hyperparameters.checkpoint_frequency:
            if (epoch + 1) % hyperparameters.checkpoint_frequency == 0:
                write(epoch)
        elif best is not None:
            training_log.logger.info("Storing the best model with validation accuracy: %f", best)
            path = write(epoch)
            for previous in model_files.weight_files(folder):
                if previous != path:
                    previous.unlink()

    checkpoints = Checkpoints(_folder("SM_CHECKPOINT_DIR", "/opt/ml/checkpoints"), folder, hyperparameters)
    training_loop.fit(network, training, validation, hyperparameters, save, checkpoints)


def _read(path: Path) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(path.read_text())
    return content


def _folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable, default))


def _fail(reason: str, status: int) -> int:
    path = Path(os.environ.get("SM_OUTPUT_FAILURE", "/opt/ml/output/failure"))
    path.write_text(" ".join(reason.split()))  # on one line
    return status
