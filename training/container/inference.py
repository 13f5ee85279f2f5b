"""Entry point of the inference container, whose toolkit calls the two functions that this file imports."""

from classifier.serving import model_fn, transform_fn

__all__ = ["model_fn", "transform_fn"]
