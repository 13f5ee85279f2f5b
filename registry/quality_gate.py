"""Quality gate: decides whether a training job's model may be deployed.

A model fails if its validation accuracy is below the minimum, or if it is significantly worse than the model in use
on the same images. If the model cannot be compared with the model in use, only the minimum accuracy is checked, and the
reason in the result says so.

The validation images form two groups: the images of the source, and reviewed images of live traffic. Most reviewed
images were selected because the model in use had a low confidence, so the accuracy on them does not represent all
traffic. The minimum accuracy therefore applies only to the images of the source. The comparison with the model in use
applies to each group. RecordIO shards contain no file names, which distinguish the groups, so all images in them are
treated as images of the source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from common.terminal import counted
from registry.batch_transform import TransformConfig, TransformJobError, prepare_job, run_job
from registry.comparison import Score, compare
from registry.model_registry import Version
from registry.predictions import is_correct, read_validation_results
from staging.manifest import Manifest
from training.container.classifier.file_names import is_live
from training.follow import TrainingJob

VALIDATION = "validation"  # name of the split, and key prefix of its objects
SIGNIFICANCE = 0.05  # if the p-value is smaller, the candidate is significantly worse than the model in use
MIN_LIVE_IMAGES = 10  # minimum number of reviewed images for a comparison of the models on them


@dataclass(frozen=True)
class GateResult:
    """Whether a model passed the quality gate, and why."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class QualityGate:
    """The quality gate of an environment.

    Attributes
    ----------
    minimum_accuracy : validation accuracy that a model must reach
    transform : settings of the batch transform job that scores the model in use on new validation images
    sagemaker, s3, logs : boto3 clients
    """

    minimum_accuracy: float
    transform: TransformConfig
    sagemaker: Any
    s3: Any
    logs: Any

    def check(self, job: TrainingJob, manifest: Manifest, in_use: Version | None) -> tuple[Score, GateResult]:
        """Apply the gate to a training job's model; return the score on the images of the source, and the result.

        Parameters
        ----------
        manifest : manifest of the job's training data
        in_use : the version in use, with which the model is compared; None if no registered version is in use

        Raises
        ------
        OperatorError
            The prediction file of a training job is malformed.
        """
        measured = job.metrics["validation"]
        results = read_validation_results(job.model_data_url, s3=self.s3)
        candidate = Score(measured["correct"], measured["n"], manifest.fingerprint(VALIDATION), results, job.best_of)
        source, _ = split_live(candidate)
        # a model below the minimum fails without a comparison, so do not pay for a transform job
        compared = in_use if source.accuracy >= self.minimum_accuracy else None
        incumbent = self.score_in_use(compared, manifest) if compared else None
        return source, decide(candidate, incumbent, self.minimum_accuracy)

    def score_in_use(self, version: Version, manifest: Manifest) -> Score:
        """Return the score of the version in use on the validation images.

        If the version was validated on other images, a batch transform job classifies the current validation images.
        The result is the registered score instead if the job fails, if the version was trained on other classes, or if
        the images are in RecordIO shards, because the job can only classify objects that contain one image.
        """
        known = version.score
        if known.validation_set == manifest.fingerprint(VALIDATION):
            return replace(known, correct_by_image=read_validation_results(version.model_data_url, s3=self.s3))
        if version.properties.get("classes_md5") != manifest.classes_md5 or manifest.format != "images":
            return known
        print(f"{version.name} (in use) was validated on other images: classifying the new ones in a transform job")
        try:
            results = self.predict_validation(version, manifest)
        except TransformJobError as error:
            print(f"the model in use cannot be scored: {error}")
            return known
        return Score(sum(results.values()), len(results), manifest.fingerprint(VALIDATION), results)

    def predict_validation(self, version: Version, manifest: Manifest) -> dict[str, bool]:
        """Return whether a version classifies each staged validation image correctly, by the image's name."""
        job = prepare_job(self.transform, VALIDATION, s3=self.s3)
        count = len(manifest.classes)
        predictions = run_job(job, version.arn, class_count=count, sagemaker=self.sagemaker, s3=self.s3, logs=self.logs)
        if not predictions.probabilities:
            raise TransformJobError(f"transform job {job.name}: {next(iter(predictions.errors.values()))}")
        listing = self.s3.get_object(Bucket=self.transform.bucket, Key=f"{VALIDATION}.lst")["Body"].read()
        labels = manifest.labels(VALIDATION, listing)
        return {
            key.removeprefix(job.prefix): is_correct(labels[key], values)
            for key, values in predictions.probabilities.items()
            if key in labels
        }


def decide(candidate: Score, incumbent: Score | None, minimum_accuracy: float) -> GateResult:
    """Compare a model with the minimum accuracy and with the model in use.

    Parameters
    ----------
    incumbent : score of the model in use; None if no registered model is in use
    """
    source, live = split_live(candidate)
    if source.accuracy < minimum_accuracy:
        return GateResult(False, f"{source}, below the minimum of {minimum_accuracy:g}")
    reached = f"{source}, meets the minimum of {minimum_accuracy:g}"
    if incumbent is None:
        return GateResult(True, f"{reached}; no registered model is in use")
    if incumbent.validation_set != candidate.validation_set:
        return GateResult(True, f"{reached}; not compared with the model in use, which was validated on other images")
    source_in_use, live_in_use = split_live(incumbent)
    comparison = compare(source, source_in_use)
    if comparison is None:
        return GateResult(True, f"{reached}; not compared with the model in use: predictions per image are missing")
    in_use = f"the model in use ({source_in_use.accuracy:.3f}) on the same images: {comparison}"
    if comparison.p_value < SIGNIFICANCE:
        return GateResult(False, f"{source}, significantly worse than {in_use}")
    compared = f"{reached}; not significantly worse than {in_use}"
    if live is None or live_in_use is None:
        return GateResult(True, compared)
    result = compare_live(live, live_in_use)
    return GateResult(result.passed, f"{compared}; {result.reason}")


def compare_live(candidate: Score, incumbent: Score) -> GateResult:
    """Compare a model with the model in use on the reviewed images of live traffic."""
    images = f"{counted(candidate.n, 'reviewed image')} of live traffic"
    if candidate.n < MIN_LIVE_IMAGES:
        return GateResult(True, f"not compared on {images}, because at least {MIN_LIVE_IMAGES} are needed")
    comparison = compare(candidate, incumbent)
    if comparison is None:
        return GateResult(True, f"not compared on {images}, because predictions per image are missing")
    passed = comparison.p_value >= SIGNIFICANCE
    worse = f"{'not ' if passed else ''}significantly worse than the model in use ({incumbent.accuracy:.3f})"
    return GateResult(passed, f"on {images}: {candidate.accuracy:.3f}, {worse}: {comparison}")


def split_live(score: Score) -> tuple[Score, Score | None]:
    """Divide a score into the score on the images of the source and the score on reviewed images of live traffic.

    If there are no reviewed images or no predictions per image, return the given score and None.
    """
    results = score.correct_by_image or {}
    live = {name: correct for name, correct in results.items() if is_live(name)}
    if not live:
        return score, None
    source = {name: correct for name, correct in results.items() if name not in live}
    return _restrict(score, source), _restrict(score, live)


def _restrict(score: Score, results: Mapping[str, bool]) -> Score:
    return replace(score, correct=sum(results.values()), n=len(results), correct_by_image=results)
