"""Child executions of a Map Run that is aborted or redriven."""

from sagelocal.services.stepfunctions.map_runs import ABORTED, SUCCEEDED, MapRun


def test_former_attempt_does_not_abort_the_child_executions_of_a_redrive() -> None:
    # GIVEN a Map Run with a running child execution, which is redriven and starts a new child execution
    run = MapRun("Each", "arn:a:states:r:1:stateMachine:m/l", "run", express=True, count=None, percentage=None)
    run.store_inputs([("item", 1)])
    former = run.start(0, attempt=0)
    run.redrive()
    child = run.start(0, attempt=run.redrive_count)

    # WHEN the former attempt is aborted after the redrive, and then the new child execution succeeds
    run.abort(0)
    run.finish(child, SUCCEEDED, output='"x"')

    # THEN only the new child execution counts as successful
    assert (child.status, run.counts(items=True)["succeeded"]) == (SUCCEEDED, 1)
    assert former.status != SUCCEEDED


def test_running_child_execution_is_aborted_with_its_attempt() -> None:
    # GIVEN
    run = MapRun("Each", "arn:a:states:r:1:stateMachine:m/l", "run", express=True, count=None, percentage=None)
    run.store_inputs([("item", 1)])
    child = run.start(0, attempt=0)

    # WHEN
    run.abort(0)

    # THEN
    assert child.status == ABORTED
