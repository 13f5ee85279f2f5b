"""The report: one HTML page about an environment. It begins with a verdict and loads no external resources."""
