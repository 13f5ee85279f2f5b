"""Entry point of the inference container, whose toolkit imports this file and calls these two functions."""

from classifier.serving import model_fn, transform_fn

__all__ = ["model_fn", "transform_fn"]
