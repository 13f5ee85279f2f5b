"""AWS Budgets: the operations on tags, subscribers and budgets that Terraform's provider needs and moto lacks."""

import json
from typing import Any

from moto.budgets.exceptions import NotFoundException
from moto.budgets.responses import BudgetsResponse

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace
from sagelocal.services.tags import Tags


def install(emulator: Emulator) -> None:
    """Add the operations on tags, DescribeSubscribersForNotification and UpdateBudget."""
    _add_tags(Tags())
    add(BudgetsResponse, "describe_subscribers_for_notification", _describe_subscribers_for_notification)
    add(BudgetsResponse, "update_budget", _update_budget)


def _add_tags(tags: Tags) -> None:
    def create_budget(request: Any) -> str:
        response: str = create(request)
        name = request._get_param("Budget")["BudgetName"]
        tags.put(_arn(request, name), _requested_tags(request))
        return response

    def delete_budget(request: Any) -> str:
        response: str = delete(request)
        tags.delete(_arn(request, request._get_param("BudgetName")))
        return response

    def list_tags_for_resource(request: Any) -> str:
        found = tags.of(request._get_param("ResourceARN"))
        return json.dumps({"ResourceTags": [{"Key": key, "Value": value} for key, value in found.items()]})

    def tag_resource(request: Any) -> str:
        tags.put(request._get_param("ResourceARN"), _requested_tags(request))
        return "{}"

    def untag_resource(request: Any) -> str:
        tags.remove(request._get_param("ResourceARN"), request._get_param("ResourceTagKeys") or [])
        return "{}"

    create = replace(BudgetsResponse, "create_budget", create_budget)
    delete = replace(BudgetsResponse, "delete_budget", delete_budget)
    for operation in (list_tags_for_resource, tag_resource, untag_resource):
        add(BudgetsResponse, operation.__name__, operation)


def _requested_tags(request: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in request._get_param("ResourceTags") or []}


def _arn(request: Any, name: str) -> str:
    return f"arn:{request.partition}:budgets::{request._get_param('AccountId')}:budget/{name}"


def _budget(request: Any, name: str) -> Any:
    found = request.backend.budgets[request._get_param("AccountId")].get(name)
    if found is None:
        raise NotFoundException(f"Unable to get budget: {name} - the budget doesn't exist.")
    return found


def _describe_subscribers_for_notification(request: Any) -> str:
    requested = _identity(request._get_param("Notification"))
    for notification in _budget(request, request._get_param("BudgetName")).notifications:
        if _identity(notification.details) == requested:
            return json.dumps({"Subscribers": notification.subscribers})
    raise NotFoundException("Unable to find the notification.")


def _identity(notification: dict[str, Any]) -> tuple[Any, ...]:
    """Return the fields that identify a budget's notification, with the threshold as a float.

    The threshold is converted, because requests may contain an integer or a float.
    """
    return (
        notification.get("NotificationType"),
        notification.get("ComparisonOperator"),
        float(notification.get("Threshold", 0)),
        notification.get("ThresholdType") or "PERCENTAGE",
    )


def _update_budget(request: Any) -> str:
    budget = request._get_param("NewBudget")
    _budget(request, budget["BudgetName"]).budget.update(budget)
    return "{}"
