"""A random sample of the images that were classified in a period, the window. The sample's memory is limited."""

import heapq
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .baseline import MAX_IMAGES, Sample
from .captured_records import Record
from .image_statistics import NAMES, image_statistics
from .images import FORMATS, ImageError, decode_image


@dataclass(frozen=True)
class Image:
    """The statistics and the embedding of an image."""

    statistics: dict[str, float]
    embedding: NDArray[np.float64]


class WindowSample:
    """A random sample of at most MAX_IMAGES different images.

    The images with the smallest hashes are chosen, so the sample does not depend on the order of the records. An image
    that was sent several times is added only once, because the drift tests are valid only for independent images.

    Parameters
    ----------
    session : ONNX Runtime session of the model that classified the images
    """

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._size = session.get_inputs()[0].shape[1]
        self._probabilities: dict[bytes, tuple[float, ...]] = {}  # by image hash
        self._images: dict[bytes, Image] = {}  # by image hash
        self._largest: list[tuple[int, bytes]] = []  # heap of negative hashes; the largest hash is first

    def add(self, record: Record) -> None:
        """Add a record to the sample, unless its image's hash is too large or its image is already in the sample."""
        key = image_hash(record)
        rank = -int.from_bytes(key)
        is_full = len(self._largest) == MAX_IMAGES
        if key in self._probabilities or (is_full and rank < self._largest[0][0]):
            return
        self._observe(key, record)
        if is_full:
            _, dropped = heapq.heapreplace(self._largest, (rank, key))
            del self._probabilities[dropped]
            self._images.pop(dropped, None)
        else:
            heapq.heappush(self._largest, (rank, key))

    @property
    def unreadable(self) -> int:
        """Number of images in the sample that cannot be decoded."""
        return len(self._probabilities) - len(self._images)

    @property
    def hashes(self) -> list[bytes]:
        """Hashes of the images that can be decoded, in the order in which `sample` returns their properties."""
        return sorted(self._images)

    def sample(self, classes: int) -> Sample:
        """Return the properties of the images in the sample.

        Parameters
        ----------
        classes : number of classes of the model
        """
        probabilities = [self._probabilities[each] for each in sorted(self._probabilities)]
        predicted = np.array([each.index(max(each)) for each in probabilities], dtype=np.int64)
        images = [self._images[each] for each in sorted(self._images)]
        statistics = {name: np.array([each.statistics[name] for each in images]) for name in NAMES} if images else {}
        return Sample(
            statistics={"confidence": np.array([max(each) for each in probabilities]), **statistics},
            predicted=np.bincount(predicted, minlength=classes),
            embeddings=np.stack([each.embedding for each in images]) if images else np.empty((0, 1)),
        )

    def _observe(self, key: bytes, record: Record) -> None:
        self._probabilities[key] = record.probabilities
        try:
            pixels = decode_image(record.image or b"", FORMATS, self._size)
        except ImageError:
            return
        (embedding,) = self._session.run(["embedding"], {"images": pixels[np.newaxis]})
        self._images[key] = Image(image_statistics(pixels), embedding[0].astype(float))


def image_hash(record: Record) -> bytes:
    """Return a hash of a record's image, or a hash of the record's ID if the endpoint captured only the response."""
    return sha256(record.id.encode("utf-8", "surrogatepass") if record.image is None else record.image).digest()
