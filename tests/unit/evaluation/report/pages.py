"""Factories of the results that the report shows."""

from pathlib import Path
from typing import Any

from common.files import write_json
from evaluation.capture_location import CaptureLocation
from evaluation.capture_table import Captures
from evaluation.evaluate import evaluate
from evaluation.execution_metrics import Outcomes
from evaluation.monitoring import Monitoring, monitor
from evaluation.report.results import Cost, CostRow, Reader, Results
from tests.unit.evaluation.report.live_results import DRIFT, HISTORY, NO_DRIFT, TOO_FEW, make_drift, make_live
from tests.unit.evaluation.runs import capture_line, make_execution, make_png, make_run

LOCATION = CaptureLocation("s3://b/data_capture", "v2", "cars", "cars-2", is_complete=True)
OUTCOMES = Outcomes(succeeded=90, low_confidence=6, invalid_image=2, failed=1, timed_out=1, aborted=0, p50=0.5, p95=1.2)
COST = Cost([CostRow("Endpoint, 2 instances", "48.00 hours of ml.m5.xlarge", 11.04)], ["List prices of us-east-1."])
TRAINING = {
    "source": "CIFAR-100 (cifar-100-python.tar.gz, md5 eb9058c3a382ffc7106e4002c42a8d85)",
    "synthetic": False,
    "job": "scones-local-vehicles-1",
    "model_package_arn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/scones-local-vehicles/1",
    "validation": {"correct": 95, "n": 100, "accuracy": 0.95, "interval": [0.888, 0.978]},
    "metrics": {"epochs": [{"train_accuracy": 0.7, "validation_accuracy": 0.8}]},
    "quality_gate": {"passed": True, "reason": "above the minimum accuracy"},
}


def monitored(other_records: int = 0) -> Monitoring:
    """Return the monitoring results of a capture file with one record and one malformed line."""
    captures = Captures()
    captures.add("00-00-000-a.jsonl", capture_line(make_png(1), [0.6, 0.4]) + b"\nmalformed", classes=2)
    classes = ("bicycle", "motorcycle")
    return monitor(captures, LOCATION, other_records=other_records, threshold=0.93, classes=classes, known={})


def write_results(directory: Path, **changes: Any) -> Path:
    """Write all result files that the report reads, and return `directory`; `changes` replace fields of `run.json`."""
    run = make_run([make_execution("test/a.png", [0.98, 0.02]), make_execution("test/b.png", [0.6, 0.4])], **changes)
    write_json(directory / "run.json", run)
    write_json(directory / "evaluation.json", evaluate(run, {"test/a.png": 0, "test/b.png": 1}))
    write_json(directory / "monitoring.json", monitored())
    write_json(directory / "live.json", make_live())
    write_json(directory / "drift.json", make_drift(NO_DRIFT, DRIFT, TOO_FEW))
    write_json(directory / "training.json", TRAINING)
    return directory


def results_of(directory: Path, **known: Any) -> Results:
    """Return the results in the files of a directory.

    Parameters
    ----------
    known : fields of `Results` that are not read from files, such as `minimum_accuracy` and `history`
    """
    reader = Reader()
    reader.read_files(directory)
    return reader.results(directory.name, **{"minimum_accuracy": 0.8, **known})


def all_results(directory: Path) -> Results:
    """Write all result files that the report reads, and return results for every section of the report."""
    return results_of(
        write_results(directory),
        start="2026-02-22T13:00:00+00:00",
        end="2026-03-01T13:00:00+00:00",
        lineage=[("model", "v1, Approved"), ("", "s3://some-bucket/models/" + "x" * 90), ("data", "CIFAR-100")],
        outcomes=OUTCOMES,
        cost=COST,
        history=HISTORY,
    )
