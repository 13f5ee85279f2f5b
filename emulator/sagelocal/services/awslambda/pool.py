"""All execution environments: used again while warm, as many at once as there are invocations."""

import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sagelocal.services.awslambda.archives import Archives
from sagelocal.services.awslambda.environment import ExecutionEnvironment
from sagelocal.services.awslambda.function import Function, Result
from sagelocal.services.awslambda.runtime import importable, lay_out

IDLE_SECONDS = 300.0
REAP_INTERVAL = 30.0
# Processes at once, whatever the functions: further invocations wait, as a laptop has no thousand cores.
MOST_AT_ONCE = max(16, 4 * (os.cpu_count() or 1))


class ConcurrencyError(Exception):
    """A function's reserved concurrency is used up."""


class Pool:
    """Execution environments of all functions.

    Parameters
    ----------
    directory
        Where code is unpacked and environments have their folders.
    aws
        Variables that point AWS's SDKs at the emulator.
    """

    def __init__(self, directory: Path, aws: dict[str, str]) -> None:
        self._aws = aws
        self._scratch = directory / "environments"
        self._scratch.mkdir(parents=True)
        self._archives = Archives(directory / "code")
        self._runtime = lay_out(directory / "runtime")
        self._idle: defaultdict[str, list[ExecutionEnvironment]] = defaultdict(list)
        self._busy: Counter[str] = Counter()
        self._all: set[ExecutionEnvironment] = set()
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._closed = threading.Event()
        threading.Thread(target=self._reap_regularly, daemon=True).start()

    def invoke(self, function: Function, payload: bytes, *, arn: str, reserved: int | None = None) -> Result:
        """Run a function once, in a warm environment if one is free.

        Parameters
        ----------
        function
            What to run.
        payload
            The event, JSON.
        arn
            By which ARN it was asked for: the handler's context shows it.
        reserved
            How many invocations of this function may run at once; None for any number.

        Raises
        ------
        ConcurrencyError
            If as many as are reserved already run.
        ArchiveError
            If its code cannot be unpacked.
        """
        self._enter(function, reserved)
        try:
            with self._slots:
                environment = self._warm(function) or self._cold(function)
                try:
                    return environment.invoke(payload, arn)
                finally:
                    self._give_back(environment)
        finally:
            with self._lock:
                self._busy[function.arn] -= 1

    def retire(self, arn: str, version: str | None = None) -> None:
        """End the environments of a function that was changed or deleted (of one version, or of all).

        Those that are busy finish what they do first.
        """

        def chosen(environment: ExecutionEnvironment) -> bool:
            return environment.function.arn == arn and version in (None, environment.function.version)

        with self._lock:
            for environment in filter(chosen, self._all):
                environment.retired = True
        self._end(chosen)

    def reap(self, idle_seconds: float = IDLE_SECONDS) -> None:
        """End the environments that had nothing to do for so long."""
        since = time.monotonic() - idle_seconds
        self._end(lambda environment: environment.idle_since <= since)

    def close(self) -> None:
        """End all environments, busy ones too."""
        with self._lock:
            self._closed.set()
            ended, self._all = self._all, set()
            self._idle.clear()
        _kill(ended)

    def _enter(self, function: Function, reserved: int | None) -> None:
        with self._lock:
            if reserved is not None and self._busy[function.arn] >= reserved:
                raise ConcurrencyError(function.arn)
            self._busy[function.arn] += 1

    def _warm(self, function: Function) -> ExecutionEnvironment | None:
        ended = []
        try:
            with self._lock:
                idle = self._idle[function.arn]
                for environment in reversed(idle):
                    if environment.function == function:
                        idle.remove(environment)
                        if environment.usable:
                            return environment
                        self._all.discard(environment)
                        ended.append(environment)
            return None
        finally:
            _kill(ended)

    def _cold(self, function: Function) -> ExecutionEnvironment:
        layers = [folder for layer in function.layers for folder in importable(self._archives.path(layer))]
        environment = ExecutionEnvironment(
            function,
            paths=[self._archives.path(function.code), *layers, self._runtime],
            aws=self._aws,
            scratch=self._scratch,
        )
        with self._lock:
            self._all.add(environment)
            environment.retired = self._closed.is_set()
        return environment

    def _give_back(self, environment: ExecutionEnvironment) -> None:
        environment.idle_since = time.monotonic()
        with self._lock:
            if environment.usable:
                self._idle[environment.function.arn].append(environment)
                return
            known = environment in self._all
            self._all.discard(environment)
        if known:
            environment.kill()

    def _end(self, chosen: Callable[[ExecutionEnvironment], bool]) -> None:
        with self._lock:
            ended = [one for environments in self._idle.values() for one in environments if chosen(one)]
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
