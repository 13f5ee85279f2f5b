"""Executions, evaluation on the test set, captured data, metrics, figures and the report."""
