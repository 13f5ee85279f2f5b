"""The child executions of a Map Run that is redriven before the threads of its former attempt have ended."""

from sagelocal.services.stepfunctions.map_runs import ABORTED, SUCCEEDED, MapRun


def test_former_attempt_does_not_abort_the_child_executions_of_a_redrive() -> None:
    # GIVEN a Map Run with a child execution that is still running when the execution is redriven
    run = MapRun("Each", "arn:a:states:r:1:stateMachine:m/l", "run", express=True, count=None, percentage=None)
    run.read([("item", 1)])
    former = run.start(0, attempt=0)
    run.redrive()
    child = run.start(0, attempt=run.redrive_count)

    # WHEN the thread of the former attempt ends late, and the new child execution succeeds
    run.abort(0)
    run.finish(child, SUCCEEDED, output='"x"')

    # THEN
    assert (child.status, run.counts(items=True)["succeeded"]) == (SUCCEEDED, 1)
    assert former.status != SUCCEEDED


def test_running_child_executions_are_aborted_with_their_attempt() -> None:
    # GIVEN
    run = MapRun("Each", "arn:a:states:r:1:stateMachine:m/l", "run", express=True, count=None, percentage=None)
    run.read([("item", 1)])
    child = run.start(0, attempt=0)

    # WHEN
    run.abort(0)

    # THEN
    assert child.status == ABORTED
