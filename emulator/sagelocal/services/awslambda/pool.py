"""The pool of execution environments: reuses idle environments, and starts a new one if all are busy.

At most `MAX_STARTING` environments of a function start at a time. Waiting invocations use whichever environment is free
first. If each invocation in a burst started its own process, the machine would be busy with starting processes.
"""

import contextlib
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sagelocal.core.backlog import Backlog
from sagelocal.services.awslambda.archives import Archives
from sagelocal.services.awslambda.environment import Directories, ExecutionEnvironment
from sagelocal.services.awslambda.errors import TooManyRequestsError
from sagelocal.services.awslambda.function import Function, Result
from sagelocal.services.awslambda.namespaces import are_allowed
from sagelocal.services.awslambda.runtime import create_runtime

IDLE_SECONDS = 300.0
REAP_INTERVAL = 30.0
# Concurrent invocations of all functions; others wait, because one machine cannot run 1000 (AWS's default quota)
MAX_CONCURRENCY = max(16, 4 * (os.cpu_count() or 1))
MAX_STARTING = max(2, os.cpu_count() or 1)  # maximum number of a function's environments that start at the same time


class Pool:
    """Execution environments of all functions.

    Parameters
    ----------
    directory
        Directory for unpacked code and for the directories of the environments.
    aws
        Environment variables that direct AWS SDKs to the emulator.
    backlog
        Counter of the invocations that wait because `MAX_CONCURRENCY` invocations are running.
    watch
        Function that registers a child process, by process id. A registered process is killed when the emulator ends.
    """

    def __init__(
        self,
        directory: Path,
        aws: dict[str, str],
        backlog: Backlog,
        watch: Callable[[int], None] = lambda pid: None,
    ) -> None:
        self._backlog = backlog
        self._watch = watch
        self._aws = aws
        self._scratch = directory / "environments"
        self._scratch.mkdir(parents=True)
        self._archives = Archives(directory / "code")
        self._layers = Archives(directory / "layers")  # not in `code`, because the emulator adds mount points to layers
        self._isolated = are_allowed(self._layers.path())
        self._runtime = create_runtime(directory / "runtime")
        self._idle: defaultdict[str, list[ExecutionEnvironment]] = defaultdict(list)
        self._busy: Counter[str] = Counter()
        self._all: set[ExecutionEnvironment] = set()
        self._lock = threading.Lock()
        self._starting: Counter[str] = Counter()
        self._changed = threading.Condition(self._lock)  # notified when an environment becomes idle or has started
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._slots = threading.BoundedSemaphore(MAX_CONCURRENCY)
        self._closed = threading.Event()
        threading.Thread(target=self._reap_regularly, daemon=True).start()

    def invoke(self, function: Function, payload: bytes, *, arn: str, reserved: int | None = None) -> Result:
        """Run a function once, in a warm environment if an environment is free.

        Parameters
        ----------
        payload
            The event, as JSON.
        arn
            Function ARN in the request, for the handler's context.
        reserved
            Reserved concurrency of the function, or None if it has no reserved concurrency.

        Raises
        ------
        TooManyRequestsError
            The reserved concurrency is used up.
        InvalidZipError
            The function's code cannot be unpacked.
        """
        self._enter(function, reserved)
        try:
            with contextlib.ExitStack() as held:
                with self._backlog.waiting():
                    held.enter_context(self._turn(function))
                    held.enter_context(self._slots)
                environment = self._warm_or_turn_to_start(function) or self._cold(function)
                try:
                    return environment.invoke(payload, arn)
                finally:
                    self._give_back(environment)
        finally:
            with self._lock:
                self._busy[function.arn] -= 1

    def retire(self, arn: str, version: str | None = None) -> None:
        """End the environments of a function that was updated or deleted.

        Busy environments end after their current invocation.

        Parameters
        ----------
        arn
            ARN of the function, without a version.
        version
            Version whose environments end; None for all versions.
        """

        def is_retired(environment: ExecutionEnvironment) -> bool:
            return environment.function.arn == arn and version in (None, environment.function.version)

        with self._lock:
            for environment in filter(is_retired, self._all):
                environment.retired = True
        self._end(is_retired)

    def reap(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """End the environments that have been idle for at least `idle_seconds`."""
        latest = time.monotonic() - idle_seconds
        self._end(lambda environment: environment.idle_since <= latest)

    def close(self) -> None:
        """End all environments, including busy ones."""
        with self._lock:
            self._closed.set()
            ended, self._all = self._all, set()
            self._idle.clear()
        _kill(ended)

    def _enter(self, function: Function, reserved: int | None) -> None:
        with self._lock:
            if reserved is not None and self._busy[function.arn] >= reserved:
                raise TooManyRequestsError
            self._busy[function.arn] += 1

    def _turn(self, function: Function) -> contextlib.AbstractContextManager[object]:
        """Return a context that admits one invocation of a function at a time if the environments share /tmp."""
        if self._isolated:
            return contextlib.nullcontext()
        with self._lock:
            return self._turns[function.arn]

    def _warm_or_turn_to_start(self, function: Function) -> ExecutionEnvironment | None:
        """Wait for an idle environment and return it, or return None as soon as the caller may start an environment."""
        ended: list[ExecutionEnvironment] = []
        try:
            with self._changed:
                while True:
                    environment = self._warm(function, ended)
                    if environment or self._starting[function.arn] < MAX_STARTING:
                        break
                    self._changed.wait()
                if environment is None:
                    self._starting[function.arn] += 1
                return environment
        finally:
            _kill(ended)

    def _warm(self, function: Function, ended: list[ExecutionEnvironment]) -> ExecutionEnvironment | None:
        """Return an idle environment, or None if there is none. Move unusable environments to `ended`."""
        idle = self._idle[function.arn]
        for environment in reversed(idle):
            if environment.function == function:
                idle.remove(environment)
                if environment.usable:
                    return environment
                self._all.discard(environment)
                ended.append(environment)
        return None

    def _cold(self, function: Function) -> ExecutionEnvironment:
        """Start an environment, and wait until it is ready."""
        try:
            environment = self._start(function)
            environment.wait_until_ready()
            return environment
        finally:
            with self._changed:
                self._starting[function.arn] -= 1
                self._changed.notify_all()

    def _start(self, function: Function) -> ExecutionEnvironment:
        environment = ExecutionEnvironment(
            function,
            directories=Directories(
                self._archives.path(function.code), self._layers.path(*function.layers), self._runtime
            ),
            isolated=self._isolated,
            aws=self._aws,
            scratch=self._scratch,
        )
        with self._lock:
            self._all.add(environment)
            environment.retired = self._closed.is_set()
        self._watch(environment.pid)
        return environment

    def _give_back(self, environment: ExecutionEnvironment) -> None:
        environment.idle_since = time.monotonic()
        with self._lock:
            if environment.usable:
                self._idle[environment.function.arn].append(environment)
                self._changed.notify_all()
                return
            known = environment in self._all
            self._all.discard(environment)
        if known:
            environment.kill()

    def _end(self, condition: Callable[[ExecutionEnvironment], bool]) -> None:
        """End the idle environments that meet a condition."""
        with self._lock:
            ended = [one for environments in self._idle.values() for one in environments if condition(one)]
            for environment in ended:
                self._idle[environment.function.arn].remove(environment)
                self._all.discard(environment)
        _kill(ended)

    def _reap_regularly(self) -> None:
        while not self._closed.wait(REAP_INTERVAL):
            self.reap()


def _kill(environments: list[ExecutionEnvironment] | set[ExecutionEnvironment]) -> None:
    if environments:
        with ThreadPoolExecutor(max_workers=8) as killers:
            list(killers.map(ExecutionEnvironment.kill, environments))
