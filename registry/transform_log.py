"""Find out why objects of a batch transform job have no prediction, from the log that SageMaker writes for the job.

SageMaker logs the following lines for an object that failed, or only one line if the model did not respond:

    2026-03-01T12:00:00.100:[sagemaker logs]: bucket/test/a.png: ClientError: 400
    2026-03-01T12:00:00.100:[sagemaker logs]: bucket/test/a.png:
    2026-03-01T12:00:00.100:[sagemaker logs]: bucket/test/a.png: Message:
    2026-03-01T12:00:00.100:[sagemaker logs]: bucket/test/a.png: <a line of the model's response>

Source for the name of the log stream: https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html.
Sources for the format of the lines: https://github.com/aws/sagemaker-tensorflow-serving-container/issues/93 and
https://github.com/aws/amazon-sagemaker-examples/issues/1620.
"""

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

from botocore.exceptions import ClientError

LOG_GROUP = "/aws/sagemaker/TransformJobs"
STREAM = "/data-log"  # end of the log stream's name; the job's other log streams contain the output of the containers
ORIGIN = ":[sagemaker logs]: "
MESSAGE = "Message:"  # the lines after this line contain the model's response
MAX_REASON = 500  # maximum length of a reason in characters


def read_reasons(job_name: str, bucket: str, keys: Collection[str], *, logs: Any) -> dict[str, str]:
    """Return the reasons why objects have no prediction, by key; keys without lines in the log are left out.

    Parameters
    ----------
    keys : keys of the objects without a prediction
    logs : CloudWatch Logs client
    """
    lines: dict[str, list[str]] = {}
    # a missing log, or a missing permission to read the log, must not prevent the caller from using the predictions
    with contextlib.suppress(ClientError):
        for message in read_messages(job_name, logs=logs):
            key, text = split_message(message, bucket, keys)
            if text:
                lines.setdefault(key, []).append(text)
    return {key: find_reason(found) for key, found in lines.items()}


def read_messages(job_name: str, *, logs: Any) -> Iterator[str]:
    """Yield the lines that SageMaker wrote into the job's log."""
    pages = logs.get_paginator("describe_log_streams").paginate(
        logGroupName=LOG_GROUP, logStreamNamePrefix=f"{job_name}/"
    )
    streams = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
    for name in streams:
        if name.endswith(STREAM):
            found = logs.get_paginator("filter_log_events").paginate(logGroupName=LOG_GROUP, logStreamNames=[name])
            yield from (event["message"] for page in found for event in page["events"])


def split_message(message: str, bucket: str, keys: Collection[str]) -> tuple[str, str]:
    """Return the object key and the text of a log line; both are empty if the line is not about one of `keys`.

    The separator ": " may also occur in a key, so every occurrence is tried.
    """
    name = message.partition(ORIGIN)[2].removeprefix(f"{bucket}/")
    position = name.find(": ")
    while position >= 0 and name[:position] not in keys:
        position = name.find(": ", position + 1)
    return (name[:position], name[position + 2 :].strip()) if position >= 0 else ("", "")


def find_reason(lines: list[str]) -> str:
    """Return the first line of the model's response, or SageMaker's first line if the model did not respond."""
    response = lines[lines.index(MESSAGE) + 1 :] if MESSAGE in lines else []
    return (response or lines)[0][:MAX_REASON]
