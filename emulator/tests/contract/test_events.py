"""EventBridge rules: patterns, targets, inputs and dead-letter queues, and the events of Step Functions and CloudWatch.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sagelocal.pytest_plugin import RunningEmulator

from ..waiting import eventually
from .functions import make_function, unique
from .queues import Inbox, make_rule
from .statemachines import StateMachines, receive_body, single

EVENT = {
    "id": "1",
    "account": "123456789012",
    "source": "shop",
    "time": "2026-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail-type": "order",
    "detail": {"size": 5},
}
FAILING_DEFINITION = {
    "StartAt": "Failed",
    "States": {"Failed": {"Type": "Fail", "Error": "Broken", "Cause": 'say "why"'}},
}


def execution_pattern(machine: str, *statuses: str) -> dict[str, Any]:
    """Return an event pattern for executions of the state machine `machine` that change to one of the statuses."""
    return {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [machine], "status": list(statuses)},
    }


def send(emulator: RunningEmulator, source: str, **detail: Any) -> str:
    """Send an event with PutEvents, and return the event's ID."""
    entry = {"Source": source, "DetailType": "test", "Detail": json.dumps(detail)}
    sent = emulator.client("events").put_events(Entries=[entry])
    assert sent["FailedEntryCount"] == 0
    return str(sent["Entries"][0]["EventId"])


def execute(machines: StateMachines, machine: str) -> str:
    """Start an execution, wait until it has ended, and return its ARN."""
    arn = machines.client.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    machines.wait_for_execution(arn)
    return str(arn)


def test_input_transformer_formats_the_event_of_a_failed_execution(
    emulator: RunningEmulator, machines: StateMachines, topic_and_queue: tuple[str, str]
) -> None:
    # GIVEN
    topic, queue = topic_and_queue
    machine = machines.create(FAILING_DEFINITION)
    paths = {name: f"$.detail.{name}" for name in ("executionArn", "error", "cause", "stopDate")}
    template = '{"text": "<executionArn> failed with <error>: <cause>", "stopped": <stopDate>}'
    transformer = {"InputPathsMap": paths, "InputTemplate": template}
    make_rule(emulator, execution_pattern(machine, "FAILED"), {"Arn": topic, "InputTransformer": transformer})

    # WHEN
    execution = execute(machines, machine)

    # THEN values are escaped if the template has them inside a string, and are JSON values otherwise
    message = json.loads(receive_body(emulator, queue))
    assert message["text"] == f'{execution} failed with Broken: say "why"'
    assert isinstance(message["stopped"], int)


def test_rule_matches_only_executions_with_its_error_and_status(
    emulator: RunningEmulator, machines: StateMachines, topic_and_queue: tuple[str, str]
) -> None:
    # GIVEN a rule for another error, a rule for another status, and a disabled rule
    topic, queue = topic_and_queue
    machine = machines.create(FAILING_DEFINITION)
    other_error = execution_pattern(machine, "FAILED")
    other_error["detail"]["error"] = ["States.Runtime"]
    make_rule(emulator, other_error, {"Arn": topic})
    make_rule(emulator, execution_pattern(machine, "SUCCEEDED"), {"Arn": topic})
    make_rule(emulator, execution_pattern(machine, "FAILED"), {"Arn": topic}, State="DISABLED")

    # AND a rule that matches the execution
    make_rule(emulator, execution_pattern(machine, "FAILED"), {"Arn": topic, "Input": '"the only message"'})

    # WHEN
    execute(machines, machine)

    # THEN
    assert receive_body(emulator, queue) == '"the only message"'
    assert "Messages" not in emulator.client("sqs").receive_message(QueueUrl=queue)


@pytest.mark.parametrize("kind", ["function", "state machine"])
def test_rule_invokes_a_function_or_starts_a_state_machine(
    emulator: RunningEmulator, machines: StateMachines, kind: str
) -> None:
    # GIVEN a target that creates an SQS queue, whose name is in the event's detail
    queue, sqs = unique("queue"), emulator.client("sqs")
    if kind == "function":
        create = "boto3.client('sqs').create_queue(QueueName=event['detail']['name'])"
        source = f"import boto3\ndef main(event, context):\n    {create}\n"
        target = f"arn:aws:lambda:us-east-1:123456789012:function:{make_function(emulator, source)}"
    else:
        parameters = {"QueueName.$": "$.detail.name"}
        target = machines.create(
            single(Type="Task", Resource="arn:aws:states:::aws-sdk:sqs:createQueue", Parameters=parameters)
        )
    make_rule(emulator, {"source": ["tests"], "detail": {"name": [queue]}}, {"Arn": target, "RoleArn": "role"})

    # WHEN
    entry = {"Source": "tests", "DetailType": "queue", "Detail": json.dumps({"name": queue})}
    assert emulator.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    # THEN
    assert eventually(lambda: sqs.list_queues(QueueNamePrefix=queue).get("QueueUrls"))


def test_target_receives_the_event_with_exactly_the_documented_members(emulator: RunningEmulator) -> None:
    # GIVEN
    inbox, source = Inbox(emulator), unique("source")
    make_rule(emulator, {"source": [source]}, {"Arn": inbox.arn})
    # WHEN
    event_id = send(emulator, source, number=1)
    # THEN
    (event,) = inbox.take(1)
    assert event.pop("time").endswith("Z")
    assert event == {
        "version": "0",
        "id": event_id,
        "detail-type": "test",
        "source": source,
        "account": "123456789012",
        "region": "us-east-1",
        "resources": [],
        "detail": {"number": 1},
    }


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param({"Input": '{"constant": 1}'}, '{"constant": 1}', id="constant"),
        pytest.param({"InputPath": "$.detail.items[1]"}, '{"name":"b"}', id="path"),
        pytest.param(
            {
                "InputTransformer": {
                    "InputPathsMap": {"second": "$.detail.items[1]", "name": "$.detail.items[0].name"},
                    "InputTemplate": '{\n "item": <second>, "text": "say \\"<name>\\" <second>", "is": true }',
                }
            },
            '{"item":{"name":"b"},"text":"say \\"a\\" {\\"name\\":\\"b\\"}","is":true}',
            id="template",
        ),
        pytest.param(
            {
                "InputTransformer": {
                    "InputPathsMap": {},
                    "InputTemplate": '{"rule": <aws.events.rule-name>, "first": "<aws.events.rule-arn>"}',
                }
            },
            '{"rule":"NAME","first":"ARN"}',
            id="predefined-variables",
        ),
    ],
)
def test_target_receives_the_configured_input(emulator: RunningEmulator, target: dict[str, Any], expected: str) -> None:
    # GIVEN
    inbox, source = Inbox(emulator), unique("source")
    arn = make_rule(emulator, {"source": [source]}, {"Arn": inbox.arn, **target})
    # WHEN
    send(emulator, source, items=[{"name": "a"}, {"name": "b"}])
    # THEN
    (message,) = inbox.take_messages(1)
    assert message["Body"] == expected.replace("NAME", arn.rpartition("/")[2]).replace("ARN", arn)


def test_message_in_a_fifo_queue_has_the_message_group_of_the_target(emulator: RunningEmulator) -> None:
    # GIVEN
    sqs, source = emulator.client("sqs"), unique("source")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    queue = sqs.create_queue(QueueName=unique("queue") + ".fifo", Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    make_rule(emulator, {"source": [source]}, {"Arn": arn, "SqsParameters": {"MessageGroupId": "group"}})
    # WHEN
    send(emulator, source)
    # THEN
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue, AttributeNames=["All"]).get("Messages"))
    assert message["Attributes"]["MessageGroupId"] == "group"


def test_execution_name_begins_with_the_id_of_the_event(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN
    machine, source = machines.create(single(Type="Pass")), unique("source")
    make_rule(emulator, {"source": [source]}, {"Arn": machine, "RoleArn": "role"})
    # WHEN
    event_id = send(emulator, source)
    # THEN
    executions = eventually(lambda: machines.client.list_executions(stateMachineArn=machine)["executions"])
    assert [each["name"][:37] for each in executions] == [f"{event_id}_"]
    assert len(executions[0]["name"]) <= 80


def test_event_for_a_missing_target_is_sent_to_the_dead_letter_queue_without_retries(emulator: RunningEmulator) -> None:
    # GIVEN
    dead, source = Inbox(emulator), unique("source")
    queue = f"arn:aws:sqs:us-east-1:123456789012:{unique('absent')}"
    rule = make_rule(
        emulator, {"source": [source]}, {"Arn": queue, "Input": "{}", "DeadLetterConfig": {"Arn": dead.arn}}
    )
    # WHEN
    event_id = send(emulator, source)
    # THEN the dead-letter queue receives the event and not the target's constant input
    (message,) = dead.take_messages(1)
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert json.loads(message["Body"])["id"] == event_id
    assert "does not exist" in attributes.pop("ERROR_MESSAGE")
    assert attributes == {
        "RULE_ARN": rule,
        "TARGET_ARN": queue,
        "ERROR_CODE": "NO_RESOURCE",
        "RETRY_ATTEMPTS": "0",
    }


def test_event_with_an_aws_service_as_its_source_is_refused(emulator: RunningEmulator) -> None:
    # GIVEN
    inbox, source = Inbox(emulator), unique("source")
    make_rule(emulator, {"source": ["aws.s3", source]}, {"Arn": inbox.arn, "InputPath": "$.source"})
    # WHEN
    entries = [{"Source": each, "DetailType": "Object Created", "Detail": "{}"} for each in ("aws.s3", source)]
    response = emulator.client("events").put_events(Entries=entries)
    # THEN
    assert response["FailedEntryCount"] == 1
    assert response["Entries"][0] == {
        "ErrorCode": "NotAuthorizedForSourceException",
        "ErrorMessage": "Not authorized for the source.",
    }
    assert inbox.take(1) == [source]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param({"source": ["shop"], "detail": {"size": [{"numeric": [">", 3]}]}}, True, id="match"),
        pytest.param({"source": ["shop"], "detail": {"size": [3]}}, False, id="no-match"),
    ],
)
def test_test_event_pattern_returns_whether_the_event_matches(
    emulator: RunningEmulator, pattern: dict[str, Any], expected: bool
) -> None:
    # WHEN
    response = emulator.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(EVENT))
    # THEN
    assert response["Result"] is expected


@pytest.mark.parametrize(
    ("pattern", "event", "code"),
    [
        pytest.param("{", EVENT, "InvalidEventPatternException", id="not-json"),
        pytest.param("[]", EVENT, "InvalidEventPatternException", id="not-an-object"),
        pytest.param('{"source": "shop"}', EVENT, "InvalidEventPatternException", id="not-an-array"),
        pytest.param('{"source": [{"prefix": 5}]}', EVENT, "InvalidEventPatternException", id="invalid-filter"),
        pytest.param('{"source": ["shop"]}', {"source": "shop"}, "ValidationException", id="incomplete-event"),
    ],
)
def test_invalid_pattern_or_event_is_refused(
    emulator: RunningEmulator, pattern: str, event: dict[str, Any], code: str
) -> None:
    # WHEN
    with pytest.raises(ClientError) as caught:
        emulator.client("events").test_event_pattern(EventPattern=pattern, Event=json.dumps(event))
    # THEN
    assert caught.value.response["Error"]["Code"] == code


def test_unsupported_target_is_named_in_the_log(emulator: RunningEmulator) -> None:
    # GIVEN
    source, stream = unique("source"), f"arn:aws:kinesis:us-east-1:123456789012:stream/{unique('stream')}"
    make_rule(emulator, {"source": [source]}, {"Arn": stream})
    # WHEN
    send(emulator, source)
    # THEN
    assert eventually(lambda: f"sagelocal does not support the target {stream}" in emulator.log.read_text())


@pytest.mark.parametrize(
    "expression", ["rate(1 minutes)", "rate(5 minute)", "at(2026-07-01T12:00:00)", "cron(0 * * * * *)"]
)
def test_invalid_schedule_is_refused(emulator: RunningEmulator, expression: str) -> None:
    # WHEN / THEN
    with pytest.raises(ClientError, match="Parameter ScheduleExpression is not valid"):
        emulator.client("events").put_rule(Name=unique("rule"), ScheduleExpression=expression)


def test_scheduled_rule_without_a_pattern_matches_no_event(emulator: RunningEmulator) -> None:
    # GIVEN a scheduled rule and a rule with a pattern, which have the same target
    events, inbox, source, name = emulator.client("events"), Inbox(emulator), unique("source"), unique("rule")
    events.put_rule(Name=name, ScheduleExpression="rate(1 day)")
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": inbox.arn, "Input": '"schedule"'}])
    make_rule(emulator, {"source": [source]}, {"Arn": inbox.arn, "Input": '"pattern"'})
    # WHEN
    send(emulator, source)
    send(emulator, source)
    # THEN
    assert inbox.take(2) == ["pattern", "pattern"]


def test_execution_sends_one_event_for_each_status(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN
    inbox, machine = Inbox(emulator), machines.create(FAILING_DEFINITION)
    make_rule(emulator, execution_pattern(machine, "RUNNING", "FAILED"), {"Arn": inbox.arn, "InputPath": "$.detail"})
    # WHEN three executions fail
    for _ in range(3):
        execute(machines, machine)
    # THEN
    details = inbox.take(6)
    assert sorted(detail["status"] for detail in details) == ["FAILED"] * 3 + ["RUNNING"] * 3
    assert {detail["stopDate"] is None for detail in details if detail["status"] == "RUNNING"} == {True}


def test_event_of_an_execution_omits_a_large_input(emulator: RunningEmulator, machines: StateMachines) -> None:
    # GIVEN
    inbox, machine = Inbox(emulator), machines.create(single(Type="Pass", Result="done"))
    make_rule(emulator, execution_pattern(machine, "SUCCEEDED"), {"Arn": inbox.arn})
    # WHEN
    large = json.dumps({"text": "x" * 255_000})
    machines.wait_for_execution(machines.client.start_execution(stateMachineArn=machine, input=large)["executionArn"])
    # THEN
    detail = inbox.take(1)[0]["detail"]
    assert (detail["input"], detail["inputDetails"]) == (None, {"included": False})
    assert (detail["output"], detail["outputDetails"]) == ('"done"', {"included": True})


def test_alarm_sends_an_event_when_its_state_changes(emulator: RunningEmulator) -> None:
    # GIVEN
    cloudwatch, inbox, name = emulator.client("cloudwatch"), Inbox(emulator), unique("alarm")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [name], "state": {"value": ["ALARM"]}}}
    make_rule(emulator, pattern, {"Arn": inbox.arn})
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        AlarmDescription="too many",
        Namespace="tests",
        MetricName="errors",
        Dimensions=[{"Name": "kind", "Value": name}],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
    )
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    # WHEN
    cloudwatch.put_metric_data(
        Namespace="tests",
        MetricData=[{"MetricName": "errors", "Dimensions": [{"Name": "kind", "Value": name}], "Value": 1}],
    )
    # THEN
    (event,) = inbox.take(1)
    assert (event["detail-type"], event["resources"]) == ("CloudWatch Alarm State Change", [alarm["AlarmArn"]])
    detail = event["detail"]
    assert detail["state"]["value"] == "ALARM"
    assert detail["previousState"]["value"] != "ALARM"
    assert detail["configuration"]["description"] == "too many"
    (metric,) = detail["configuration"]["metrics"]
    assert metric["metricStat"] == {
        "metric": {"namespace": "tests", "name": "errors", "dimensions": {"kind": name}},
        "period": 60,
        "stat": "Sum",
    }
