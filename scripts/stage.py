"""Bring the images of the stack's classes from their source to S3.

SOURCE is `auto` (an archive already fetched, else the official one, else the drawn sample), `sample`
(drawn by this project), or the path or URL of an archive in CIFAR-100's format. FORMAT is `images`, one object an
image, or `recordio`: the training and the validation rows as shards, for data of more than some thousand rows.
PRETRAIN=1 brings the rows of the archive's other classes too, for `make train PRETRAIN=1`.
"""

import argparse
from typing import get_args

import boto3

import staging
from scripts.command import BUILD, Environment, run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Where the rows come from, and in which form they are staged."""
    parser.add_argument("--source", default="auto", help="auto, sample, a path or a URL (auto)")
    parser.add_argument("--format", choices=get_args(staging.Format), default="images", help="of the rows (images)")
    parser.add_argument("--others", action="store_true", help="the other classes' training rows too, to pretrain on")


def main(environment: Environment) -> None:
    """Resolve the source, transform its rows, upload what changed."""
    stack = environment.stack
    source = staging.resolve(environment.options.source, directory=BUILD / "archives", classes=stack.classes)
    print(f"source: {source.description}")
    staging.stage(
        source,
        classes=stack.classes,
        bucket=stack.bucket,
        client=boto3.client("s3", region_name=stack.region),
        directory=environment.directory / "images",
        data_format=environment.options.format,
        others=environment.options.others,
    )


if __name__ == "__main__":
    run_command(main, __doc__, options)
