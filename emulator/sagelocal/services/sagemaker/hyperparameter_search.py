"""The search of a tuning job (random, grid or Bayesian), implemented with Optuna."""

import math
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

from sagelocal.services.sagemaker.errors import InvalidRequestError

STRATEGIES = ("Bayesian", "Random", "Grid")
SCALING_TYPES = {"Auto", "Linear", "Logarithmic", "ReverseLogarithmic"}


class Search:
    """The hyperparameter search of one tuning job.

    Parameters
    ----------
    config
        `HyperParameterTuningJobConfig`: strategy, ranges, objective and seed.

    Raises
    ------
    InvalidRequestError
        If no range is given, a range or its scaling type is invalid, the strategy is not supported, or the strategy
        does not support the ranges.
    NotImplementedError
        If optuna is not installed.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._ranges = _ranges(config.get("ParameterRanges") or {})
        strategy, seed = config["Strategy"], config.get("RandomSeed")
        if strategy not in STRATEGIES:
            raise InvalidRequestError(f"the emulator does not support strategy {strategy}: use {', '.join(STRATEGIES)}")
        if strategy == "Grid" and not all(isinstance(each, _Categories) for each in self._ranges.values()):
            raise InvalidRequestError("Grid search is only supported for categorical parameters.")
        objective = config["HyperParameterTuningJobObjective"]["Type"]
        self._optuna = _import_optuna()
        self._study = self._optuna.create_study(direction=objective.lower(), sampler=self._sampler(strategy, seed))
        self._trials: dict[str, optuna.Trial] = {}
        if strategy == "Grid":
            names = list(self._ranges)
            for values in product(*(each.values for each in self._ranges.values() if isinstance(each, _Categories))):
                self._study.enqueue_trial(dict(zip(names, values, strict=True)))

    @property
    def size(self) -> int | None:
        """The number of combinations of values, or None (no limit) if a range is not categorical."""
        sizes = [len(each.values) if isinstance(each, _Categories) else math.inf for each in self._ranges.values()]
        count = math.prod(sizes)
        return None if count == math.inf else int(count)

    def suggest(self, name: str) -> dict[str, str]:
        """Return the hyperparameters to try in the training job `name`."""
        trial = self._trials[name] = self._study.ask()
        return {key: each.suggest(trial, key) for key, each in self._ranges.items()}

    def record(self, name: str, value: float | None) -> None:
        """Record the objective value of the training job `name`, or None if the job has no objective value."""
        states = self._optuna.trial.TrialState
        state = states.FAIL if value is None else states.COMPLETE
        self._study.tell(self._trials.pop(name), value, state=state)

    def _sampler(self, strategy: str, seed: int | None) -> Any:
        samplers = self._optuna.samplers
        if strategy != "Bayesian":
            return samplers.RandomSampler(seed=seed)
        # constant_liar avoids values close to those that running jobs are trying
        return samplers.TPESampler(seed=seed, constant_liar=True, n_startup_trials=3)


def _import_optuna() -> Any:
    """Import optuna at the first use, because the import is slow and only the extra `tuning` installs optuna."""
    try:
        import optuna
    except ModuleNotFoundError:
        raise NotImplementedError("tuning jobs need optuna; run `pip install 'sagelocal[tuning]'`") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class _Categories:
    def __init__(self, given: Mapping[str, Any]) -> None:
        self.values: list[str] = given["Values"]

    def suggest(self, trial: "optuna.Trial", name: str) -> str:
        return str(trial.suggest_categorical(name, self.values))


class _Numbers:
    def __init__(self, given: Mapping[str, Any], *, whole: bool) -> None:
        self._name, self._whole = given["Name"], whole
        self._low, self._high = (float(given[bound]) for bound in ("MinValue", "MaxValue"))
        self._scale = given.get("ScalingType", "Auto")
        if not self._low < self._high:
            raise InvalidRequestError(
                f"MinValue of {self._name} must be less than its MaxValue (got {self._low:g} and {self._high:g})"
            )
        if self._scale not in SCALING_TYPES:
            raise InvalidRequestError(
                f"ScalingType of {self._name} must be one of {', '.join(sorted(SCALING_TYPES))} (got {self._scale})"
            )
        if self._scale == "Logarithmic" and self._low <= 0:
            raise InvalidRequestError(
                f"Logarithmic scaling of {self._name} requires a MinValue greater than 0 (got {self._low:g})"
            )
        if self._scale == "ReverseLogarithmic" and (whole or not self._low >= 0 or not self._high < 1):
            raise InvalidRequestError(
                f"ReverseLogarithmic scaling of {self._name} requires a continuous range with MinValue at least 0 and "
                f"MaxValue below 1 (got {'an integer' if whole else 'a continuous'} range from {self._low:g} to "
                f"{self._high:g})"
            )

    def suggest(self, trial: "optuna.Trial", name: str) -> str:
        logarithmic = self._scale == "Logarithmic"
        if self._whole:
            return str(trial.suggest_int(name, int(self._low), int(self._high), log=logarithmic))
        if self._scale == "ReverseLogarithmic":
            return repr(1 - trial.suggest_float(name, 1 - self._high, 1 - self._low, log=True))
        return repr(trial.suggest_float(name, self._low, self._high, log=logarithmic))


def _ranges(given: Mapping[str, Any]) -> dict[str, _Categories | _Numbers]:
    ranges: dict[str, _Categories | _Numbers] = {
        **{each["Name"]: _Numbers(each, whole=True) for each in given.get("IntegerParameterRanges") or []},
        **{each["Name"]: _Numbers(each, whole=False) for each in given.get("ContinuousParameterRanges") or []},
        **{each["Name"]: _Categories(each) for each in given.get("CategoricalParameterRanges") or []},
    }
    if not ranges:
        raise InvalidRequestError("ParameterRanges must have at least one range")
    return ranges
