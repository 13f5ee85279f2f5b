"""Compute the inference ID, which data capture stores with each request to the endpoint."""

from hashlib import sha256

DIGITS = 32  # hexadecimal digits in each half of an ID; SageMaker allows 64 characters in total


def inference_id(key: str, version: str) -> str:
    """Return the `InferenceId` of an S3 object version: a hash of the key, followed by a hash of the version.

    Data capture stores the ID with the request, so the label of an object version can be joined with its prediction.

    Parameters
    ----------
    key : S3 key
    version : S3 version ID; `latest` if the image was classified without a version ID
    """
    return key_digits(key) + _digits(version)


def key_digits(key: str) -> str:
    """Return the first half of an inference ID, which is the same for all versions of a key."""
    return _digits(key)


def version_digits(version: str) -> str:
    """Return the second half of an inference ID, which identifies an object version, because version IDs are unique."""
    return _digits(version)


def _digits(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
