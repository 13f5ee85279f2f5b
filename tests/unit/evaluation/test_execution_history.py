"""Events of an execution's history are converted to steps with a status, retries and parents."""

from evaluation.execution_history import Status, read_steps
from tests.unit.evaluation.histories import MAP_RUN, STARTED, History, failed_history


def test_a_task_whose_retry_fails_too_is_one_caught_step_with_the_last_error() -> None:
    # WHEN
    steps = read_steps(failed_history().events, is_running=False)

    # THEN
    assert [(step.name, step.status) for step in steps] == [
        ("Serialize", Status.SUCCEEDED),
        ("Classify", Status.CAUGHT),
        ("CountFailure", Status.SUCCEEDED),
        ("Failed", Status.FAILED),
    ]
    classify, failed = steps[1], steps[3]
    assert (classify.retries, classify.error) == (1, "ImageInvalidError")
    assert classify.entered > STARTED
    assert classify.seconds == 7
    assert failed.error == "ImageInvalidError"
    assert failed.after is steps[2]


def test_a_task_whose_retry_succeeds_is_one_successful_step() -> None:
    # GIVEN
    history = History()
    history.enter("Task", "Classify", after=0)
    history.call(error="EndpointUnavailableError")
    history.call()
    history.leave("Task", "Classify", {"inferences": []}, assignedVariables={"driver": '"a"'})

    # WHEN
    (step,) = read_steps(history.events, is_running=False)

    # THEN
    assert (step.status, step.retries) == (Status.SUCCEEDED, 1)
    assert step.output == {"inferences": []}
    assert step.variables == {"driver": "a"}


def test_states_of_branches_have_the_parallel_state_as_parent() -> None:
    # GIVEN two branches whose events alternate, and one of which catches an error
    history = History()
    history.enter("Pass", "Begin", after=0)
    begin = history.leave("Pass", "Begin")
    history.enter("Parallel", "Both", after=begin)
    started = history.add("ParallelStateStarted")
    left = history.enter("Pass", "Left", after=started)
    right = history.enter("Task", "Right", after=started)
    history.leave("Pass", "Left", after=left)
    failed = history.add("TaskFailed", after=right, resourceType="lambda", resource="invoke", error="E", cause="C")
    exited = history.leave("Task", "Right", after=failed)
    history.enter("Pass", "Recovered", after=exited)
    last = history.leave("Pass", "Recovered")
    history.add("ParallelStateSucceeded", after=last)
    both = history.leave("Parallel", "Both", after=last)
    history.enter("Succeed", "Done", after=both)
    history.leave("Succeed", "Done")

    # WHEN
    steps = {step.name: step for step in read_steps(history.events, is_running=False)}

    # THEN
    both_state = steps["Both"]
    assert {name: step.parent for name, step in steps.items()} == {
        "Begin": None,
        "Both": None,
        "Left": both_state,
        "Right": both_state,
        "Recovered": both_state,
        "Done": None,
    }
    assert steps["Right"].status is Status.CAUGHT
    assert steps["Recovered"].after is steps["Right"]
    assert steps["Left"].after is None
    assert both_state.status is Status.SUCCEEDED
    assert steps["Done"].after is both_state


def test_steps_in_a_map_state_have_an_iteration_and_a_failed_iteration_fails_the_map_state() -> None:
    # GIVEN a second iteration that starts after the first has ended, as with a concurrency of 1
    history = History()
    history.enter("Map", "Each", after=0)
    history.add("MapStateStarted", length=2)
    history.add("MapIterationStarted", name="Each", index=0)
    history.enter("Pass", "One")
    exited = history.leave("Pass", "One")
    history.add("MapIterationSucceeded", name="Each", index=0)
    second = history.add("MapIterationStarted", after=exited, name="Each", index=1)
    history.enter("Fail", "Two", after=second)
    history.add("MapIterationFailed", name="Each", index=1)
    history.add("MapStateFailed", after=8)
    history.add("ExecutionFailed", error="E", cause="C")

    # WHEN
    each, one, two = read_steps(history.events, is_running=False)

    # THEN
    assert (one.iteration, two.iteration) == (0, 1)
    assert one.parent is two.parent is each
    assert (each.status, each.error) == (Status.FAILED, "E")
    assert (one.status, two.status) == (Status.SUCCEEDED, Status.FAILED)


def test_the_step_of_a_distributed_map_state_has_the_arn_and_error_of_its_map_run() -> None:
    # GIVEN
    history = History()
    history.enter("Map", "Each", after=0)
    history.add("MapStateStarted", length=2)
    history.add("MapRunStarted", mapRunArn=MAP_RUN)
    history.add("MapRunFailed", error="States.ExceedToleratedFailureThreshold", cause="too many")
    history.add("MapStateFailed")

    # WHEN
    (step,) = read_steps(history.events, is_running=False)

    # THEN
    assert step.map_run_arn == MAP_RUN
    assert (step.status, step.error) == (Status.FAILED, "States.ExceedToleratedFailureThreshold")


def test_a_state_that_was_not_exited_is_running_or_aborted_like_its_execution() -> None:
    # GIVEN
    history = History()
    history.enter("Wait", "Pause", after=0)

    # WHEN / THEN
    assert read_steps(history.events, is_running=True)[0].status is Status.RUNNING
    history.add("ExecutionTimedOut", error="States.Timeout")
    assert read_steps(history.events, is_running=False)[0].status is Status.ABORTED


def test_attempts_after_a_redrive_belong_to_the_step_that_had_failed() -> None:
    # GIVEN
    history = History()
    history.enter("Task", "Classify", after=0)
    history.call(error="E")
    history.add("ExecutionFailed", error="E")
    history.add("ExecutionRedriven", after=0, redriveCount=1)
    history.call()
    history.leave("Task", "Classify")

    # WHEN
    (step,) = read_steps(history.events, is_running=False)

    # THEN
    assert (step.status, step.retries) == (Status.SUCCEEDED, 1)
