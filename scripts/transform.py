"""Classify every image below an S3 prefix with the model in use, in a batch transform job; keep it as transform.csv.

INPUT is a folder in the environment's bucket, such as `test` or `s3://bucket/test/`.
"""

import argparse
import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence

import boto3

from common.files import write
from common.stack import Stack
from registry import batches
from registry.batch_transform import Answers, TransformError
from registry.model_registry import model_in_use, number_of
from scripts.command import Environment, OperatorError, run_command

FILE = "transform.csv"
NAMED = 10  # objects that failed, of those in the file's stead


class BatchError(OperatorError):
    """There are no answers, or not for all objects."""


def options(parser: argparse.ArgumentParser) -> None:
    """What to classify."""
    parser.add_argument("--input", required=True, help="a folder in the environment's bucket")


def main(environment: Environment) -> None:
    """Run the job, write `transform.csv`, print a summary.

    Raises
    ------
    BatchError
        No model is in use, nothing lies there, the job failed; or objects failed, and the others are written.
    """
    stack = environment.stack
    prefix = folder_of(environment.options.input, stack)
    model = model_in_use(stack, boto3.client("ssm", region_name=stack.region))
    if model is None:
        raise BatchError(f"no model is in use: run `make train ENV={stack.environment}`")
    try:
        batch = batches.gather(stack, prefix)
        print(f"{len(batch.keys)} objects below s3://{stack.bucket}/{batch.prefix}, for v{number_of(model)}")
        print(f"transform job {batch.name}")
        answers = batches.ask(stack, batch, model, classes=len(stack.classes))
    except TransformError as error:
        raise BatchError(str(error)) from error
    path = environment.directory / FILE
    write(path, as_csv(answers, stack.classes).encode())
    print("\n".join(summary(answers, stack)))
    print(path)
    check_complete(answers)


def folder_of(text: str, stack: Stack) -> str:
    """The prefix in the environment's bucket.

    Raises
    ------
    BatchError
        It is empty, or another bucket's: the job's role reads this one alone.
    """
    bucket, _, prefix = text.removeprefix("s3://").partition("/") if text.startswith("s3://") else ("", "", text)
    if bucket not in ("", stack.bucket):
        raise BatchError(f"INPUT must lie in s3://{stack.bucket}, the one bucket that the job may read")
    if not prefix.strip("/"):
        raise BatchError(f"say which folder of s3://{stack.bucket}: make transform INPUT=test")
    return prefix


def as_csv(answers: Answers, classes: Sequence[str]) -> str:
    """A line for each answered object: its key, the best class, how sure, and each class's probability."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["key", "class", "confidence", *classes])
    for key, values in answers.probabilities.items():
        confidence = max(values)
        writer.writerow([key, classes[values.index(confidence)], confidence, *values])
    return stream.getvalue()


def summary(answers: Answers, stack: Stack) -> Iterable[str]:
    """How many of each class, and how many of these the workflow would pass; what failed, by name."""
    best = [(values.index(max(values)), max(values)) for values in answers.probabilities.values()]
    counts = Counter(number for number, _ in best)
    sure = Counter(number for number, confidence in best if confidence >= stack.threshold)
    yield f"{'class':<40}{'images':>10}{'share':>10}{f'at {stack.threshold:g}':>10}"
    for number, count in counts.most_common():
        yield f"{stack.classes[number][:39]:<40}{count:>10}{count / len(best):>10.1%}{sure[number]:>10}"
    if answers.failed:
        yield f"{'failed':<40}{len(answers.failed):>10}"
    for key in list(answers.failed)[:NAMED]:
        yield f"  {key}"
    if len(answers.failed) > NAMED:
        yield f"  and {len(answers.failed) - NAMED} more"


def check_complete(answers: Answers) -> None:
    """Every object must have its answer.

    Raises
    ------
    BatchError
        One has none.
    """
    if answers.failed:
        key, reason = next(iter(answers.failed.items()))
        total = len(answers.failed) + len(answers.probabilities)
        raise BatchError(f"{len(answers.failed)} of {total} objects have no answer, first {key}: {reason}")


if __name__ == "__main__":
    run_command(main, __doc__, options)
