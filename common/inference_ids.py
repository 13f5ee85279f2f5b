"""The ID with which an image's request to the endpoint is captured."""

from hashlib import sha256

DIGITS = 32  # of each half; SageMaker allows 64 characters


def inference_id(key: str, version: str) -> str:
    """Return the `InferenceId` of an S3 object version: a hash of the key, followed by a hash of the version.

    Data capture stores the ID with the request, so that a label of the object finds its prediction.

    Parameters
    ----------
    version : S3 version ID; `latest` if the image was classified without one
    """
    return key_digits(key) + _digits(version)


def key_digits(key: str) -> str:
    """Return the first half of the IDs of all versions of a key."""
    return _digits(key)


def version_digits(version: str) -> str:
    """Return the second half of the IDs of all objects with a version; S3's version IDs are unique."""
    return _digits(version)


def _digits(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
