"""Measure the accuracy, training time, serving speed and staging cost of the models."""
