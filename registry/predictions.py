"""Which validation rows a model told right, from what its training job left."""

import csv
import io
import math
import tarfile
import zlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from training.follow import MAX_METRICS_BYTES, TrainingFailedError, read_member

FILE = "validation.csv"


class AnswersError(Exception):
    """A model's answers cannot be read."""


def fetch_right(model_data_url: str, *, s3: Any) -> dict[str, bool] | None:
    """Whether each validation row was told right, by the row's name; None where the algorithm leaves no answers.

    Parameters
    ----------
    model_data_url
        Of the model.tar.gz, beside which the job's output.tar.gz lies.

    Raises
    ------
    AnswersError
        The output is too large, or its answers are not of the trainer's form.
    """
    address = urlsplit(model_data_url.removesuffix("model.tar.gz") + "output.tar.gz")
    try:
        answer = s3.get_object(Bucket=address.netloc, Key=address.path.lstrip("/"))
    except s3.exceptions.NoSuchKey:
        return None
    if answer["ContentLength"] > MAX_METRICS_BYTES:
        raise AnswersError(f"{address.geturl()} has more than {MAX_METRICS_BYTES} bytes")
    try:
        return parse_right(read_member(answer["Body"].read(), FILE))
    except TrainingFailedError:
        return None
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise AnswersError(f"{address.geturl()} cannot be unpacked: {error}") from error


def parse_right(content: bytes) -> dict[str, bool]:
    """Read lines of a row's name, its class's number, and a probability for each class.

    Raises
    ------
    AnswersError
        A line is not of this form, or a row occurs twice.
    """
    right: dict[str, bool] = {}
    columns = 0
    try:
        for number, row in enumerate(csv.reader(io.StringIO(content.decode("utf-8")), strict=True), start=1):
            columns = columns or len(row)
            if len(row) != columns or columns < 4 or row[0] in right:
                raise AnswersError(f"{FILE}, line {number}: not a row of its own with as many columns as others")
            right[row[0]] = is_right(int(row[1]), [float(text) for text in row[2:]])
    except (ValueError, csv.Error) as error:
        raise AnswersError(f"{FILE} is not of the trainer's form: {error}") from error
    return right


def is_right(label: int, probabilities: Sequence[float]) -> bool:
    """Whether the class with the highest probability is the label's.

    Raises
    ------
    ValueError
        They are no class and no probabilities.
    """
    if not 0 <= label < len(probabilities):
        raise ValueError(f"there is no class {label}")
    if not all(math.isfinite(value) and 0 <= value <= 1 for value in probabilities):
        raise ValueError(f"{list(probabilities)[:4]} are no probabilities")
    return probabilities.index(max(probabilities)) == label
