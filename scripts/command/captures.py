"""The captures that a command reads, and the model whose predictions they contain."""

from evaluation.capture_location import CaptureLocation, find_captures
from registry.model_registry import find_version
from registry.trained_classes import check_classes
from scripts.command.environment import Environment


def find_location(environment: Environment, model: str = "") -> CaptureLocation | None:
    """Return the location of a model's captures, or None if the endpoint captures no data.

    Parameters
    ----------
    model : version of the model, such as `3` or `v3`; empty for the deployed model

    Raises
    ------
    OperatorError
        No model is deployed.
    """
    stack = environment.stack
    location = find_captures(
        stack.endpoint_name,
        stack.endpoint_config_name,
        stack.data_capture_uri,
        environment=environment.name,
        sagemaker=environment.client("sagemaker"),
    )
    return location.of_model(model) if location and model else location


def check_model(environment: Environment, location: CaptureLocation) -> None:
    """Check that the model is registered, and was trained on the classes of the deployed stack.

    Raises
    ------
    OperatorError
        The model is not registered, or was trained on other classes than the deployed stack's.
    """
    version = find_version(environment.model_registry.versions(), location.model)
    advice = f"run `make deploy ENV={environment.name}`" if location.is_deployed else "choose another MODEL"
    check_classes(version, environment.stack.classes, where="the deployed stack", advice=advice)
