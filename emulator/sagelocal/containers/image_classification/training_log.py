"""The training log, in AWS's format: `[10/10/2025 12:00:00 INFO 139872140638016] Epoch[0] Train-accuracy=0.523000`."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sagelocal.containers.image_classification.hyperparameters import Hyperparameters

FORMATTER = logging.Formatter("[%(asctime)s %(levelname)s %(thread)d] %(message)s", "%m/%d/%Y %H:%M:%S")
logger = logging.getLogger("image_classification")


def configure() -> None:
    """Write the log to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(FORMATTER)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def log_provided(provided: Mapping[str, Any]) -> None:
    """Log the hyperparameters as the job provides them."""
    logger.info("Merging with provided configuration from hyperparameters.json: %s", dict(provided))


def log_parameters(hyperparameters: Hyperparameters) -> None:
    """Log the hyperparameters as the training uses them."""
    values = {name: _text(value) for name, value in asdict(hyperparameters).items()}
    logger.info("Final configuration: %s", values)
    logger.info("use_pretrained_model: %d", hyperparameters.use_pretrained_model)
    logger.info("multi_label: %d", hyperparameters.multi_label)
    logger.info("---- Parameters ----")
    for name in (
        "num_layers",
        "epochs",
        "resize",
        "optimizer",
        *_optimizer_parameters(hyperparameters),
        "learning_rate",
        *(("lr_scheduler_step", "lr_scheduler_factor") if hyperparameters.lr_scheduler_step else ()),
        "num_training_samples",
        "mini_batch_size",
        "image_shape",
        "num_classes",
        "augmentation_type",
        *(("top_k",) if hyperparameters.top_k else ()),
    ):
        logger.info("%s: %s", name, values[name])
    logger.info("kv_store: %s", hyperparameters.kv_store or "device")
    if hyperparameters.checkpoint_frequency is None:
        logger.info("checkpoint_frequency not set, will store the best model")
    else:
        logger.info("checkpoint_frequency: %d", hyperparameters.checkpoint_frequency)
    if hyperparameters.precision_dtype == "float16":
        logger.info("precision_dtype: float16 (no effect: the emulator computes in float32)")
    logger.info("--------------------")


def log_batch(epoch: int, number: int, speed: float, metrics: Mapping[str, float]) -> None:
    """Log the metrics of an epoch up to batch `number`; `speed` is in images per second."""
    values = "".join(f"\t{name}={value:f}" for name, value in metrics.items())
    logger.info("Epoch[%d] Batch [%d]\tSpeed: %.2f samples/sec%s", epoch, number, speed, values)


def log_training(epoch: int, seconds: float, metrics: Mapping[str, float]) -> None:
    """Log the training metrics of a complete epoch."""
    for name, value in metrics.items():
        logger.info("Epoch[%d] Train-%s=%f", epoch, name, value)
    logger.info("Epoch[%d] Time cost=%.3f", epoch, seconds)


def log_validation(epoch: int, accuracy: float) -> None:
    """Log the validation accuracy of an epoch."""
    logger.info("Epoch[%d] Validation-accuracy=%f", epoch, accuracy)


def _optimizer_parameters(hyperparameters: Hyperparameters) -> tuple[str, ...]:
    return {"adam": ("beta_1", "beta_2", "eps"), "rmsprop": ("gamma", "eps")}.get(
        hyperparameters.optimizer, ("momentum", "weight_decay")
    )


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
