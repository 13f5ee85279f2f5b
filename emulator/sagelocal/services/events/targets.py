"""Calls the targets of rules, with retries and dead-letter queues.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

import json
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from moto.core.exceptions import ServiceException
from moto.sqs.models import sqs_backends

from sagelocal.core.deliveries import Failure
from sagelocal.core.emulator import Emulator
from sagelocal.services.cloudwatch import metrics
from sagelocal.services.events.inputs import transform

THROTTLING = {"TooManyRequestsException", "ThrottlingException", "Throttling", "ThrottledException", "RequestThrottled"}
MISSING = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "NotFound",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
    "StateMachineDoesNotExist",
}
NOT_IMPLEMENTED = 501


def deliver(emulator: Emulator, rule: Any, target: dict[str, Any], event: dict[str, Any]) -> None:
    """Call a target in a background thread, with the retries that the target's retry policy allows.

    If no call succeeds, send the event to the target's dead-letter queue.

    Parameters
    ----------
    rule
        moto's object for the rule.
    target
        Target of the rule, as in PutTargets. Its service must be in `SERVICES`.
    event
        Event in the format that targets receive.
    """
    call = SERVICES[target["Arn"].split(":")[2]]
    # AWS does not document this name: https://github.com/localstack/localstack/pull/11427
    execution_name = f"{event['id']}_{uuid.uuid4()}"
    emulator.deliveries.deliver(
        f"rule {rule.name}: cannot deliver to {target['Arn']}",
        lambda: call(emulator, target, transform(target, event, rule), execution_name),
        policy=target.get("RetryPolicy") or {},
        done=partial(_report, emulator, rule, target, event),
        is_retriable=is_retriable,
    )


def is_retriable(error: Exception) -> bool:
    """Return whether EventBridge retries after an error: False if the target does not exist or rejects the input."""
    if isinstance(error, ServiceException):
        return False
    if not isinstance(error, ClientError):
        return True
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return error_code(error) == "THROTTLING" or (status >= 500 and status != NOT_IMPLEMENTED)


def error_code(error: Exception) -> str:
    """Return the value of a dead-letter message's attribute ERROR_CODE for an exception."""
    if not isinstance(error, ClientError | ServiceException):
        return "SDK_CLIENT_ERROR"
    code = error.code if isinstance(error, ServiceException) else error.response["Error"]["Code"]
    if code in MISSING:
        return "NO_RESOURCE"
    if code in THROTTLING:
        return "THROTTLING"
    return "NO_PERMISSIONS" if code.startswith("AccessDenied") else "ERROR_FROM_TARGET"


def queue_url(client: Any, arn: str) -> str:
    """Return the URL of an SQS queue from its ARN."""
    return str(client.get_queue_url(QueueName=arn.split(":")[5])["QueueUrl"])


def _invoke_function(emulator: Emulator, target: dict[str, Any], text: str, execution_name: str) -> None:
    client = emulator.client("lambda", _region(target))
    client.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=text.encode())


def _publish(emulator: Emulator, target: dict[str, Any], text: str, execution_name: str) -> None:
    emulator.client("sns", _region(target)).publish(TopicArn=target["Arn"], Message=text)


def _send_message(emulator: Emulator, target: dict[str, Any], text: str, execution_name: str) -> None:
    _, _, _, region, account, queue = target["Arn"].split(":")
    group = (target.get("SqsParameters") or {}).get("MessageGroupId")
    # calls moto directly, because an HTTP request would take longer than the rest of the delivery
    sqs_backends[account][region].send_message(queue, text, group_id=group)


def _start_execution(emulator: Emulator, target: dict[str, Any], text: str, execution_name: str) -> None:
    emulator.backlog.delay()
    emulator.client("stepfunctions", _region(target)).start_execution(
        stateMachineArn=target["Arn"], input=text, name=execution_name
    )


SERVICES: dict[str, Callable[[Emulator, dict[str, Any], str, str], None]] = {
    "lambda": _invoke_function,
    "sns": _publish,
    "sqs": _send_message,
    "states": _start_execution,
}


def _region(target: dict[str, Any]) -> str:
    return str(target["Arn"].split(":")[3])


def _report(
    emulator: Emulator, rule: Any, target: dict[str, Any], event: dict[str, Any], failure: Failure | None
) -> None:
    """Publish the metrics of a failed delivery, and send the event to the dead-letter queue; do nothing on success."""
    if failure is None:
        return
    _count(rule, "FailedInvocations")
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not queue:
        return
    attributes = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": error_code(failure.error),
        "ERROR_MESSAGE": str(failure.error),
        "RETRY_ATTEMPTS": str(failure.retries),
        **({"EXHAUSTED_RETRY_CONDITION": failure.condition} if failure.condition else {}),
    }
    client = emulator.client("sqs", queue.split(":")[3])
    client.send_message(
        QueueUrl=queue_url(client, queue),
        MessageBody=json.dumps(event, separators=(",", ":"), ensure_ascii=False),
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    )
    _count(rule, "InvocationsSentToDlq")


def _count(rule: Any, metric: str) -> None:
    # Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    metrics.put(rule.account_id, rule.region_name, "AWS/Events", {"RuleName": rule.name}, {metric: 1.0})
