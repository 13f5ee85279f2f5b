"""Benchmarks of training, serving, staging, drift detection, captured records and the workflow."""
