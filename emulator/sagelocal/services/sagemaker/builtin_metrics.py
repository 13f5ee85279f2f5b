"""Metric definitions of AWS's built-in algorithms."""

# https://docs.aws.amazon.com/sagemaker/latest/dg/IC-tuning.html
DEFINITIONS = {
    "image-classification": {
        "train:accuracy": r"Epoch\[[0-9]+\] Train-accuracy=([0-9.]+)",
        "validation:accuracy": r"Epoch\[[0-9]+\] Validation-accuracy=([0-9.]+)",
    }
}


def metric_definitions(image: str) -> list[dict[str, str]]:
    """Return the `MetricDefinitions` of a built-in algorithm's image, or an empty list for any other image."""
    algorithm = image.rpartition("/")[2].partition(":")[0]
    return [{"Name": name, "Regex": regex} for name, regex in DEFINITIONS.get(algorithm, {}).items()]
