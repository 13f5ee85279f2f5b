"""Upload the images of the environment's classes (setting `classes`) to S3.

SOURCE is one of:
- `auto`: the official CIFAR-100 archive, or the synthetic sample if the official site does not respond or returns an
  error
- `sample`: the synthetic sample, which this project draws
- a folder with one sub-folder per class
- the path or URL of an archive in CIFAR-100's format

FORMAT is `images`, one object per image, or `recordio`, which packs the training and the validation split into shards.
Use `recordio` for more than a few thousand images. PRETRAIN=1 also stages the images of the other classes, on which
`make train PRETRAIN=1` pretrains the model.
"""

import argparse
from typing import get_args

from scripts.command.environment import BUILD, Environment
from scripts.command.runner import run_command
from staging.manifest import Format
from staging.source import resolve
from staging.stage import stage


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options for the source and the format."""
    parser.add_argument("--source", default="auto", help="auto, sample, a path or a URL (default: auto)")
    parser.add_argument(
        "--format", choices=get_args(Format), default="images", help="format of the images (default: images)"
    )
    parser.add_argument(
        "--other-classes", action="store_true", help="also stage the images of other classes, for pretraining"
    )


def main(environment: Environment) -> None:
    """Read the images of the source, transform them, and upload the objects that changed."""
    stack, options = environment.stack, environment.options
    with environment.lock("stage", "stage"):
        source = resolve(
            options.source,
            directory=BUILD / "archives",
            classes=environment.configured_classes,
            other_classes=options.other_classes,
        )
        print(f"source: {source.description}")
        stage(
            source,
            classes=environment.configured_classes,
            bucket=stack.bucket,
            directory=environment.directory / "images",
            data_format=options.format,
            other_classes=options.other_classes,
            s3=environment.client("s3"),
        )


if __name__ == "__main__":
    run_command(main, __doc__, options)
