"""Metrics that AWS defines for its own algorithms, so that no job has to."""

# https://docs.aws.amazon.com/sagemaker/latest/dg/IC-tuning.html
DEFINITIONS = {
    "image-classification": {
        "train:accuracy": r"Epoch\[[0-9]+\] Train-accuracy=([0-9.]+)",
        "validation:accuracy": r"Epoch\[[0-9]+\] Validation-accuracy=([0-9.]+)",
    }
}


def metric_definitions(image: str) -> list[dict[str, str]]:
    """`Name` and `Regex` of each metric of an algorithm, named by its image; none for an image of another's."""
    algorithm = image.rpartition("/")[2].partition(":")[0]
    return [{"Name": name, "Regex": regex} for name, regex in DEFINITIONS.get(algorithm, {}).items()]
