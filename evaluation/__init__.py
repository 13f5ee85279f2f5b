"""Evaluate the deployed model: executions, test-set evaluation, captured data, metrics, figures and the report."""
