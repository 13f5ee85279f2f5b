"""The operator's commands: the only place that knows what is deployed where."""
