"""Add the images of live traffic that people labelled to the images that `make stage` staged.

The added images replace the images that an earlier call of this command added.
"""

from evaluation.live.labels import read_labels
from evaluation.reviewed_images import ImageFinder, left_out, read_images
from scripts.command.environment import Environment
from scripts.command.runner import run_command
from staging.manifest import read_manifest
from staging.stage import stage_reviewed
from training.job_config import check_staged


def main(environment: Environment) -> None:
    """Read the labelled images, add them to the staged images, and upload the objects that changed.

    Raises
    ------
    OperatorError
        No images are staged, the staged images have other classes than the settings, or there are no labelled images to
        add.
    """
    stack, s3 = environment.stack, environment.client("s3")
    with environment.lock("retrain", "stage"):
        manifest = read_manifest(stack.bucket, s3=s3)
        check_staged(
            manifest,
            classes=environment.configured_classes,
            bucket=stack.bucket,
            environment=environment.name,
            s3=s3,
        )
        labels = read_labels(stack.bucket, stack.labels_prefix, manifest.classes, s3=s3)
        for line in left_out(labels):
            print(line)
        finder = ImageFinder(environment.review_store, (stack.incoming_prefix, stack.uploads_prefix), s3=s3)
        stage_reviewed(
            manifest,
            read_images(labels.labels, finder),
            bucket=stack.bucket,
            directory=environment.directory / "images",
            s3=s3,
        )


if __name__ == "__main__":
    run_command(main, __doc__)
