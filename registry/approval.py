"""Manual approval: approve or reject a registered model, or roll back to the model version that was in use before."""

from collections.abc import Sequence
from typing import Any

from common.errors import OperatorError
from registry.model_registry import ModelRegistry, Version, find_version

MAX_REASON_LENGTH = 1024  # maximum number of characters of a reason in the model registry


def approve(registry: ModelRegistry, name: str, reason: str) -> Version:
    """Approve a version and put it into use.

    Parameters
    ----------
    name : name of the version; an empty string selects the newest version that is pending manual approval

    Returns
    -------
    Version
        The version as it was before the approval.
    """
    versions = registry.versions()
    version = find_version(versions, name) if name else newest_pending(versions, registry.environment)
    registry.approve(version.arn, reason)
    return version


def newest_pending(versions: Sequence[Version], environment: str) -> Version:
    """Return the newest version that is pending manual approval.

    Parameters
    ----------
    versions : all versions, newest first
    environment : name of the environment, for the error message

    Raises
    ------
    OperatorError
        No version is pending manual approval.
    """
    for version in versions:
        if version.status == "PendingManualApproval":
            return version
    raise OperatorError(f"no model is pending manual approval: run `make train ENV={environment}`")


def reject(registry: ModelRegistry, name: str, reason: str, *, deployed: str | None) -> Version:
    """Reject a version.

    Parameters
    ----------
    deployed : ARN of the version that the endpoint serves
    """
    version = find_version(registry.versions(), name)
    check_rejectable(version, registry.arn_in_use(), deployed, registry.environment)
    registry.reject(version.arn, reason)
    return version


def check_rejectable(version: Version, in_use: str | None, deployed: str | None, environment: str) -> None:
    """Check that a version can be rejected: neither the endpoint nor the next deployment serves the version.

    Parameters
    ----------
    in_use : ARN of the version in use, which the next deployment serves
    deployed : ARN of the version that the endpoint serves now

    Raises
    ------
    OperatorError
        The version is in use, or the endpoint serves it.
    """
    if version.arn == in_use:
        raise OperatorError(
            f"{version.name} is in use: run `make rollback ENV={environment}`, or approve another model, before you "
            "reject it"
        )
    if version.arn == deployed:
        raise OperatorError(
            f"the endpoint still serves {version.name}: run `make deploy ENV={environment}` before you reject it"
        )


def roll_back(registry: ModelRegistry) -> Version:
    """Put the previous version into use again.

    Raises
    ------
    OperatorError
        No version is in use, or no version that was in use before is still approved.
    """
    if registry.arn_in_use() is None:
        raise OperatorError(f"no model is in use in {registry.environment}: there is nothing to roll back")
    version = previous_version(registry.versions(), registry.previous_arns(), registry.environment)
    registry.roll_back_to(version.arn)
    return version


def previous_version(versions: Sequence[Version], previous_arns: Sequence[str], environment: str) -> Version:
    """Return the latest version that was in use before the current version and is still approved.

    Parameters
    ----------
    previous_arns : ARNs of the versions that were in use before the current version, latest first

    Raises
    ------
    OperatorError
        No version that was in use before is still approved.
    """
    approved = {version.arn: version for version in versions if version.status == "Approved"}
    for arn in previous_arns:
        if arn in approved:
            return approved[arn]
    raise OperatorError(
        "no version that was in use before is approved: "
        f"run `make models ENV={environment}` to list all versions, and `make approve ENV={environment} MODEL=...` to "
        "put one into use"
    )


def with_author(reason: str, *, sts: Any) -> str:
    """Append the caller's ARN to a reason, and truncate the reason so that both fit into `MAX_REASON_LENGTH`."""
    author = f" (by {sts.get_caller_identity()['Arn']})"
    return reason[: MAX_REASON_LENGTH - len(author)] + author
