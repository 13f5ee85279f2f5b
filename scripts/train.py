"""Train a model in a SageMaker training job, apply the quality gate, and register the model.

The model is approved automatically if it passes the quality gate and the environment does not require manual approval.
The algorithm is `pytorch`, this project's own trainer, or `image-classification`, SageMaker's built-in algorithm.
"""

from registry.promotion import is_registered, promote
from scripts.command.environment import BUILD, Environment
from scripts.command.runner import run_command
from scripts.command.training_options import add_training_options, make_training_request
from training.follow import TrainingJob, follow, read_result
from training.job_config import TrainingRequest, upload_packages
from training.launch import find_training_job, launch


def main(environment: Environment) -> None:
    """Train a model, and register and approve it; do nothing if the model that the options describe is registered.

    Raises
    ------
    OperatorError
        The training job failed, or the model was rejected, either now or by an earlier command.
    """
    stack = environment.stack
    request = make_training_request(environment)
    if is_registered(environment.model_registry, request.fingerprint):
        return
    promote(
        request,
        train(request, environment),
        environment.model_registry,
        environment.quality_gate,
        automatic=stack.approval == "automatic",
        directory=environment.directory,
        append_history=environment.append_history,
    )


def train(request: TrainingRequest, environment: Environment) -> TrainingJob:
    """Run a training job, and return it once it has completed.

    If training jobs for the same model are running or completed, the function uses the latest of these.
    """
    sagemaker, s3 = environment.client("sagemaker"), environment.client("s3")
    upload_packages(request, BUILD / "packages", s3=s3)
    name = find_training_job(request.config.name, request.fingerprint, sagemaker=sagemaker) or launch(
        request.algorithm, request.config, request.data, request.hyperparameters, request.fingerprint
    )
    print(f"training job {name}")
    completed = follow(name, sagemaker=sagemaker, logs=environment.client("logs"))
    return read_result(completed, validation_images=request.data.validation_images, s3=s3)


if __name__ == "__main__":
    run_command(main, __doc__, add_training_options)
