"""Show the lineage of a prediction or a model: registry version, training job, code, accuracy, and training data.

The model card is written to `build/<environment>/model-card-<version>.md`.

EXECUTION is the ARN or name of an execution, and MODEL is a model version (3, v3 or the version's ARN). Set at most one
of them. The default is the model in use.
"""

import argparse

from common.errors import OperatorError
from evaluation.executions import find_prediction
from registry import lineage
from registry.model_card import to_markdown
from registry.model_registry import find_version
from scripts.command.environment import Environment
from scripts.command.runner import run_command


def options(parser: argparse.ArgumentParser) -> None:
    """Add the options `--execution`, `--model` and `--verify`."""
    parser.add_argument("--execution", default="", help="an execution's ARN or name")
    parser.add_argument("--model", default="", help="a version (3, v3 or its ARN)")
    parser.add_argument(
        "--verify", action="store_true", help="compare the checksums of all training data with the manifest"
    )


def main(environment: Environment) -> None:
    """Print the lineage, and write the model card.

    Raises
    ------
    OperatorError
        Both an execution and a model are given, one of them does not exist, the execution has no prediction, no model
        is in use, or `--verify` finds that the training data have changed.
    """
    chosen = environment.options
    if chosen.execution and chosen.model:
        raise OperatorError(
            f"set EXECUTION or MODEL, and not both (got EXECUTION={chosen.execution} and MODEL={chosen.model})"
        )
    stack, registry = environment.stack, environment.model_registry
    s3 = environment.client("s3")
    states = environment.client("stepfunctions")
    prediction = find_prediction(stack.state_machine_arn, chosen.execution, states=states) if chosen.execution else None
    in_use = registry.arn_in_use()
    name = prediction.model_version if prediction else chosen.model or in_use
    if name is None:
        raise OperatorError(f"no model is in use: run `make train ENV={environment.name}`, or set MODEL to a version")
    version = find_version(registry.versions(), name)
    job = environment.client("sagemaker").describe_training_job(TrainingJobName=version.properties["training_job"])
    manifest = lineage.read_training_manifest(version, s3=s3)
    rows = [
        *(lineage.prediction_rows(prediction, manifest.classes) if prediction else ()),
        *lineage.model_rows(version, version.arn == in_use),
        *lineage.job_rows(job, version),
        *lineage.data_rows(manifest, version),
    ]
    if version.model_card:
        path = environment.directory / f"model-card-{version.name}.md"
        path.write_text(to_markdown(f"Model card of {version.name}", version.model_card))
        rows.append(("model card", str(path)))
    print("\n".join(lineage.format_rows(rows)))
    if chosen.verify:
        print(lineage.verify_data(manifest, stack.bucket, s3=s3))


if __name__ == "__main__":
    run_command(main, __doc__, options)
