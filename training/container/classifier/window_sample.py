"""A sample of the images that were classified in a time window, in bounded memory."""

import heapq
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .baseline import MAX_IMAGES, Sample
from .captured_records import Record
from .drift import Novelty
from .image_statistics import NAMES, image_statistics
from .images import FORMATS, ImageError, decode_image

MAX_EXAMPLES = 10


@dataclass(frozen=True)
class Example:
    """An unusual image; `distance` is that of `Novelty`."""

    id: str
    time: datetime
    probabilities: tuple[float, ...]
    image: bytes
    distance: float


@dataclass(frozen=True)
class Observation:
    """What a record contributes; `statistics` and `embedding` are None if its image is not known."""

    probabilities: tuple[float, ...]
    statistics: dict[str, float] | None
    embedding: NDArray[np.float64] | None


class WindowSample:
    """A random sample of at most MAX_IMAGES images, and the most unusual images.

    The images with the smallest hashes of their IDs are chosen, so the sample does not depend on the order of the
    records, and a request that was repeated counts once.

    Parameters
    ----------
    session : the model
    """

    def __init__(self, session: onnxruntime.InferenceSession, novelty: Novelty) -> None:
        self._session = session
        self._size = session.get_inputs()[0].shape[1]
        self._novelty = novelty
        self._chosen: dict[str, Observation] = {}
        self._largest: list[tuple[int, str]] = []  # a heap of the negative hashes
        self._unusual: list[tuple[float, str, Example]] = []  # a heap of the distances
        self.unreadable = 0

    def add(self, record: Record) -> None:
        """Consider a record for the sample."""
        rank = -int.from_bytes(sha256(record.id.encode("utf-8", "surrogatepass")).digest()[:8])
        is_full = len(self._largest) == MAX_IMAGES
        if record.id in self._chosen or (is_full and rank < self._largest[0][0]):
            return
        self._chosen[record.id] = self._observe(record)
        if is_full:
            _, dropped = heapq.heapreplace(self._largest, (rank, record.id))
            del self._chosen[dropped]
        else:
            heapq.heappush(self._largest, (rank, record.id))

    def sample(self, classes: int) -> Sample:
        """Return the chosen images.

        Parameters
        ----------
        classes : number of classes
        """
        chosen = [self._chosen[identity] for identity in sorted(self._chosen)]
        confidences = np.array([max(each.probabilities) for each in chosen])
        predicted = [each.probabilities.index(max(each.probabilities)) for each in chosen]
        known = [each.statistics for each in chosen if each.statistics is not None]
        embeddings = [each.embedding for each in chosen if each.embedding is not None]
        statistics = {name: np.array([each[name] for each in known]) for name in NAMES} if known else {}
        return Sample(
            statistics={"confidence": confidences, **statistics},
            predicted=np.bincount(np.array(predicted, dtype=np.int64), minlength=classes),
            embeddings=np.stack(embeddings) if embeddings else np.empty((0, 1)),
        )

    def most_unusual(self) -> list[Example]:
        """Return the images that are farthest from the baseline, farthest first."""
        return [example for _, _, example in sorted(self._unusual, reverse=True)]

    def _observe(self, record: Record) -> Observation:
        try:
            pixels = decode_image(record.image or b"", FORMATS, self._size)
        except ImageError:
            self.unreadable += 1
            return Observation(record.probabilities, None, None)
        statistics = image_statistics(pixels)
        (embedding,) = self._session.run(["embedding"], {"images": pixels[np.newaxis]})
        self._consider(record, statistics, embedding[0].astype(float))
        return Observation(record.probabilities, statistics, embedding[0].astype(float))

    def _consider(self, record: Record, statistics: dict[str, float], embedding: NDArray[np.float64]) -> None:
        """Keep the image if it is one of the most unusual."""
        one = Sample(
            {name: np.array([value]) for name, value in statistics.items()}, np.array([1]), embedding[np.newaxis]
        )
        distance = float(self._novelty.score(one)[0])
        example = Example(record.id, record.time, record.probabilities, record.image or b"", distance)
        entry = (distance, record.id, example)
        if len(self._unusual) < MAX_EXAMPLES:
            heapq.heappush(self._unusual, entry)
        else:
            heapq.heappushpop(self._unusual, entry)
