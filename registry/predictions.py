"""A model's predictions: for the validation images, from the training job's output, and from a batch transform job."""

import csv
import io
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import OperatorError
from common.probabilities import is_probability
from common.s3 import sibling_url, split_url
from common.terminal import WIDTH
from training.follow import MAX_METRICS_BYTES, MemberMissingError, read_member

VALIDATION_FILE = "validation.csv"
MAX_ERRORS_SHOWN = 10


@dataclass(frozen=True)
class Predictions:
    """The predictions of a batch transform job.

    Attributes
    ----------
    probabilities : class probabilities in class order, by the image's key
    errors : reason why an image has no prediction, by the image's key
    """

    probabilities: Mapping[str, list[float]]
    errors: Mapping[str, str]


@dataclass(frozen=True)
class ValidationPrediction:
    """A model's prediction for a validation image: the true class number (`label`) and the predicted class number."""

    label: int
    predicted: int

    @property
    def is_correct(self) -> bool:
        """Whether the predicted class is the label."""
        return self.label == self.predicted


def to_csv(predictions: Predictions, classes: Sequence[str]) -> str:
    """Return CSV with one line for each image: key, predicted class, confidence, probability of each class, and error.

    The line of an image without a prediction contains only the key and the error.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["key", "class", "confidence", *classes, "error"])
    for key in sorted({*predictions.probabilities, *predictions.errors}):
        if key in predictions.errors:
            writer.writerow([key, "", "", *("" for _ in classes), predictions.errors[key]])
        else:
            values = predictions.probabilities[key]
            confidence = max(values)
            writer.writerow([key, classes[values.index(confidence)], confidence, *values, ""])
    return stream.getvalue()


def summarize(predictions: Predictions, classes: Sequence[str], threshold: float) -> Iterator[str]:
    """Yield the lines of a summary: a table of the predicted classes, then the images without a prediction.

    The table contains, for each class, the number of images, and the number of images whose confidence reaches the
    workflow's threshold.
    """
    best = [(values.index(max(values)), max(values)) for values in predictions.probabilities.values()]
    counts = Counter(number for number, _ in best)
    confident = Counter(number for number, confidence in best if confidence >= threshold)
    yield f"{'predicted class':<40}{'images':>10}{'share':>10}{f'>= {threshold:g}':>10}"
    for number, count in counts.most_common():
        yield f"{classes[number][:39]:<40}{count:>10}{count / len(best):>10.1%}{confident[number]:>10}"
    failed = list(predictions.errors.items())
    if failed:
        yield f"{'failed':<40}{len(failed):>10}"
    yield from (f"  {key}: {reason}"[:WIDTH] for key, reason in failed[:MAX_ERRORS_SHOWN])
    if len(failed) > MAX_ERRORS_SHOWN:
        yield f"  and {len(failed) - MAX_ERRORS_SHOWN} more"


def check_complete(predictions: Predictions, file: Path) -> None:
    """Raise OperatorError if an image has no prediction.

    Parameters
    ----------
    file : path of the CSV file that contains the predictions and errors
    """
    if predictions.errors:
        key, reason = next(iter(predictions.errors.items()))
        total = len(predictions.errors) + len(predictions.probabilities)
        raise OperatorError(
            f"{len(predictions.errors)} of {total} images have no prediction; the first is {key}: {reason}; "
            f"the column `error` of {file} has all reasons"
        )


def read_validation_results(model_data_url: str, *, s3: Any) -> dict[str, bool] | None:
    """Return whether a model classified each validation image correctly, by the image's name.

    Return None if the algorithm writes no predictions. `read_validation_predictions` describes parameters and errors.
    """
    predictions = read_validation_predictions(model_data_url, s3=s3)
    return None if predictions is None else {name: each.is_correct for name, each in predictions.items()}


def read_validation_predictions(model_data_url: str, *, s3: Any) -> dict[str, ValidationPrediction] | None:
    """Return a model's predictions for the validation images, from its training job's output.

    Parameters
    ----------
    model_data_url : S3 URL of model.tar.gz; the job's output.tar.gz is in the same folder

    Returns
    -------
    dict or None
        The predictions by the image's name; None if the algorithm writes no predictions.

    Raises
    ------
    OperatorError
        The output is too large, damaged, or malformed.
    """
    url = sibling_url(model_data_url, "output.tar.gz")
    bucket, key = split_url(url)
    try:
        stored = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.NoSuchKey:
        return None
    if stored["ContentLength"] > MAX_METRICS_BYTES:
        raise OperatorError(f"{url} is larger than {MAX_METRICS_BYTES} bytes")
    try:
        return parse_validation_predictions(read_member(stored["Body"].read(), VALIDATION_FILE))
    except MemberMissingError:  # the archive contains no predictions
        return None
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise OperatorError(f"{url} cannot be unpacked: {error}") from error


def parse_validation_predictions(content: bytes) -> dict[str, ValidationPrediction]:
    """Return the prediction for each validation image, by the image's name.

    Parameters
    ----------
    content : CSV lines of the image's name, its label, and a probability for each class

    Raises
    ------
    OperatorError
        A line is malformed, or an image occurs twice.
    """
    results: dict[str, ValidationPrediction] = {}
    columns = 0
    try:
        for number, row in enumerate(csv.reader(io.StringIO(content.decode("utf-8")), strict=True), start=1):
            columns = columns or len(row)
            if len(row) != columns or columns < 4:
                raise OperatorError(f"{VALIDATION_FILE}, line {number}: unexpected number of columns ({len(row)})")
            if row[0] in results:
                raise OperatorError(f"{VALIDATION_FILE}, line {number}: {row[0]} occurs twice")
            label, probabilities = int(row[1]), [float(text) for text in row[2:]]
            results[row[0]] = ValidationPrediction(label, predicted_class(label, probabilities))
    except (ValueError, csv.Error) as error:
        raise OperatorError(f"{VALIDATION_FILE} is malformed: {error}") from error
    return results


def is_correct(label: int, probabilities: Sequence[float]) -> bool:
    """Return whether the class with the highest probability is the label; see `predicted_class`."""
    return predicted_class(label, probabilities) == label


def predicted_class(label: int, probabilities: Sequence[float]) -> int:
    """Check the label and the probabilities, and return the number of the class with the highest probability.

    Raises
    ------
    ValueError
        The label is not a class number, or a value is not a probability.
    """
    if not 0 <= label < len(probabilities):
        raise ValueError(f"label must be between 0 and {len(probabilities) - 1} (got {label})")
    if not all(map(is_probability, probabilities)):
        raise ValueError(f"probabilities must be between 0 and 1 (got {list(probabilities)[:4]})")
    return probabilities.index(max(probabilities))
