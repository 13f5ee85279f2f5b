"""Whether a training job's model may be used: held against the bar, and against the model in use on the same rows."""

from dataclasses import replace

import boto3

import staging
from common.stack import Stack
from registry import batches
from registry.batch_transform import TransformError
from registry.comparison import Score, Verdict, judge
from registry.model_registry import Version
from registry.predictions import AnswersError, fetch_right, is_right
from scripts.command import OperatorError
from training.follow import TrainingJob

SPLIT = "validation"


class GateError(OperatorError):
    """The model cannot be judged."""


def judge_job(
    stack: Stack, job: TrainingJob, manifest: staging.Manifest, in_use: Version | None
) -> tuple[Score, Verdict]:
    """A job's score and the verdict on its model.

    Parameters
    ----------
    manifest : of the data that the job was given
    in_use : the model to compare with; None where there is none

    Raises
    ------
    GateError
        What a job left of its answers is not of the trainer's form.
    """
    s3 = boto3.client("s3", region_name=stack.region)
    measured = job.metrics["validation"]
    try:
        right = fetch_right(job.model_data_url, s3=s3)
        score = Score(measured["correct"], measured["n"], manifest.fingerprint(SPLIT), right, job.best_of)
        # below the bar nothing else counts, and asking the model in use may cost a job
        compared = in_use if score.accuracy >= stack.minimum_accuracy else None
        incumbent = score_in_use(stack, compared, manifest) if compared else None
    except AnswersError as error:
        raise GateError(str(error)) from error
    return score, judge(score, incumbent, bar=stack.minimum_accuracy)


def score_in_use(stack: Stack, version: Version, manifest: staging.Manifest) -> Score:
    """How the model in use does on the rows of `manifest`; on its own where it cannot be asked about these.

    A batch transform job asks about images, one object each: it does not read shards.
    """
    known = version.score
    if known.rows == manifest.fingerprint(SPLIT):
        s3 = boto3.client("s3", region_name=stack.region)
        return replace(known, right=fetch_right(version.model_data_url, s3=s3))
    if version.properties.get("classes_md5") != manifest.classes_md5 or manifest.format != "images":
        return known
    print(f"{version.name}, the model in use, was judged on other rows: it answers for these in a batch transform job")
    try:
        right = asked_right(stack, version, manifest)
    except TransformError as error:
        print(f"that failed: {error}")
        return known
    return Score(sum(right.values()), len(right), manifest.fingerprint(SPLIT), right)


def asked_right(stack: Stack, version: Version, manifest: staging.Manifest) -> dict[str, bool]:
    """Whether a version tells each validation image right, by the image's name."""
    batch = batches.gather(stack, SPLIT)
    answers = batches.ask(stack, batch, version.arn, classes=len(manifest.classes))
    s3 = boto3.client("s3", region_name=stack.region)
    labels = manifest.labels(SPLIT, s3.get_object(Bucket=stack.bucket, Key=f"{SPLIT}.lst")["Body"].read())
    return {
        key.removeprefix(batch.prefix): is_right(labels[key], values)
        for key, values in answers.probabilities.items()
        if key in labels
    }
