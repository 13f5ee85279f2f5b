"""The jobs of a Distributed Map: each job runs one child execution, and reads its input when the job starts."""

import json
from typing import Any

from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.job import Job, JobPool

from sagelocal.services.stepfunctions.map_runs import MapRun


class Jobs(JobPool):
    """The job pool of a Map Run. It replaces moto's pool, which keeps every input and output in memory.

    Attributes
    ----------
    attempt
        The Map Run's redrive count when the jobs were created.
    count
        Number of jobs, one for each child execution that has not succeeded yet.
    """

    def __init__(self, program: Any, run: MapRun) -> None:
        remaining = run.remaining()
        self.attempt, self.count = run.redrive_count, len(remaining)
        self._program, self._run, self._indices = program, run, iter(remaining)
        self._closed = 0
        super().__init__(job_program=program, job_inputs=[])

    def next_job(self) -> Job | None:
        """Return a job that has not started, or None if all have started or a job has ended with an exception."""
        with self._mutex:
            index = None if self._worker_exception else next(self._indices, None)
        return None if index is None else Job(index, self._program, json.loads(self._run.texts[index]))

    def close_job(self, job: Job) -> None:
        """Record that a job has ended."""
        with self._mutex:
            if isinstance(job.job_output, Exception):
                self._worker_exception = self._worker_exception or job.job_output
            self._closed += 1
            self._notify_on_termination()

    def _is_terminated(self) -> bool:
        return self._closed == self.count or self._worker_exception is not None
