"""The report: one HTML page about an environment, which begins with a verdict and loads no external resources."""
