"""Run Terraform commands such as `init`, `plan` and `apply`, with a progress bar and one-line errors."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import python_terraform
from python_terraform import IsFlagged

from common.errors import OperatorError
from common.paths import TERRAFORM_DIRECTORY
from deployment.local_state import LocalState
from deployment.terraform_output import FINISHED_RESOURCE, first_error, show_progress
from deployment.tools import find_mirror, find_terraform

ENVIRONMENTS = sorted(path.stem for path in (TERRAFORM_DIRECTORY / "environments").glob("*.tfvars"))

# `backend.tf` is not committed, so that a plain `terraform apply` in a new clone keeps its state in the root module's
# directory
BACKEND_BLOCK = 'terraform {\n  backend "s3" {}\n}\n'

IMPORT_BLOCK = "import {\n  to = %s\n  id = %s\n}\n"

APPLY_ENDED = re.compile(r"^(Apply complete!|\W*Error: )", re.M)
STARTED_RESOURCE = re.compile(r"^(\S+): (?:Creating|Importing)\.\.\.", re.M)
PLAN_SUMMARY = re.compile(r"^Plan: (?:(\d+) to import, )?(\d+) to add, (\d+) to change, (\d+) to destroy", re.M)
NO_CHANGES, CHANGES = 0, 2  # exit codes of `terraform plan -detailed-exitcode`
LOCK_TIMEOUT = "2m"  # an apply continues for a while after its terminal was closed, so the next command waits for it

Result = tuple[int, str | None, str | None]  # exit code, stdout, stderr
Ran = TypeVar("Ran")  # what a function that runs a Terraform command returns


class TerraformError(OperatorError):
    """Terraform failed."""


class NotInitializedError(TerraformError):
    """Terraform requires `terraform init` first."""


@dataclass(frozen=True)
class Plan:
    """A saved plan.

    Attributes
    ----------
    path : path of the plan file
    changes : number of imports, creations, changes and destructions in the plan
    empty : whether the plan changes no resource and no output
    summary : summary of the changes, such as `Plan: 2 to add, 0 to change, 0 to destroy`
    """

    path: Path
    changes: int
    empty: bool
    summary: str


class Driver(python_terraform.Terraform):  # type: ignore[misc]  # the package is untyped
    """A `python_terraform.Terraform` whose processes have their own environment variables and may write to a log.

    Parameters
    ----------
    environment : returns the environment variables of the next process
    options : arguments of `python_terraform.Terraform`
    """

    def __init__(self, environment: Callable[[], dict[str, str]], **options: Any) -> None:
        super().__init__(**options)
        self._environment = environment

    def read_state_file(self, file_path: str | None = None) -> None:
        """Do nothing: `python_terraform.Terraform` would read the state file, which may be incomplete."""

    def cmd(self, cmd: str, *arguments: str, log: IO[str] | None = None, **options: Any) -> Result:
        """Run a command, and return its exit code and output; with `log`, the output is written there instead."""
        with subprocess.Popen(
            self.generate_cmd_string(cmd, *arguments, **options),
            cwd=self.working_dir,
            env=self._environment(),
            stdout=log or subprocess.PIPE,
            stderr=log or subprocess.PIPE,
            encoding="utf-8",
        ) as process:
            # not `subprocess.run`, which kills the process on Ctrl-C before Terraform has saved its state
            output, errors = process.communicate()
        return process.returncode, output, errors


class Terraform:
    """Terraform for one environment.

    If the environment has a backend file, which `make state` writes, the state is in S3. Otherwise, it is the selected
    workspace's state in the root module's directory, which a plain `terraform` command also uses.

    Parameters
    ----------
    environment : name of a file in `terraform/environments/`, such as `dev`
    logs : directory for Terraform's output and the saved plan
    directory : directory of the root module, which contains `environments/` or has it as a sibling
    variables : values of input variables that the environment's file does not set
    """

    def __init__(
        self,
        environment: str,
        *,
        logs: Path,
        directory: Path = TERRAFORM_DIRECTORY,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.environment = environment
        self.logs = logs.resolve()
        self.directory = directory
        self._variables = variables or {}
        self._plan = self.logs / "terraform.tfplan"
        self._driver = Driver(
            self._process_environment,
            working_dir=str(directory),
            var_file=f"{'' if (directory / 'environments').is_dir() else '../'}environments/{environment}.tfvars",
            terraform_bin_path=find_terraform(),
        )

    @property
    def local_state(self) -> LocalState:
        """The state file of the selected workspace, which Terraform uses if the state is not in S3."""
        return LocalState.of(self.directory)

    @property
    def backend_file(self) -> Path:
        """Path of the S3 backend's settings for `terraform init -backend-config`; missing if the state is local."""
        return self.directory / f"{self.environment}.s3.tfbackend"

    @property
    def _data_directory(self) -> str:
        """Terraform's data directory, which contains the backend settings.

        Each environment whose state is in S3 has its own. All environments with local states share one.
        """
        return f".terraform/{self.environment}" if self.backend_file.is_file() else ".terraform"

    def _process_environment(self) -> dict[str, str]:
        """Return the environment variables of a Terraform process."""
        environment = {
            **os.environ,
            **{f"TF_VAR_{name}": value for name, value in self._variables.items()},
            "TF_DATA_DIR": self._data_directory,
        }
        config = environment.get("TF_CLI_CONFIG_FILE")
        if config and not Path(config).is_file():
            del environment["TF_CLI_CONFIG_FILE"]  # otherwise every command warns that the file does not exist
        return environment

    def init(self) -> None:
        """Run `terraform init`, which installs the modules and the provider; the provider may come from a local mirror.

        Raises
        ------
        TerraformError
            The provider cannot be installed, or the backend cannot be reached.
        """
        lock_file = self.directory / ".terraform.lock.hcl"
        mirror = find_mirror(lock_file)
        options: dict[str, Any] = {
            "lockfile": "readonly",
            "backend_config": str(self.backend_file.resolve()) if self.backend_file.is_file() else None,
            "plugin_dir": str(mirror) if mirror else None,
        }
        if self.backend_file.is_file():
            self._select_backend(lock_file, options)
        self._run("init", self._driver.init, var=None, var_file=None, reconfigure=None, **options)

    def _select_backend(self, lock_file: Path, options: Mapping[str, Any]) -> None:
        """Write the backend's settings, and the provider that the state needs, to the data directory.

        In the root module, `terraform init` would ask whether to copy the local states to S3, including the states of
        other environments. Therefore `init` first runs in a temporary directory, which contains no state.
        """
        with tempfile.TemporaryDirectory() as directory:
            Path(directory, "backend.tf").write_text(BACKEND_BLOCK)
            shutil.copy2(lock_file, directory)
            data_directory = str((self.directory / self._data_directory).resolve())
            driver = Driver(
                lambda: {**self._process_environment(), "TF_DATA_DIR": data_directory},
                working_dir=directory,
                terraform_bin_path=find_terraform(),
            )
            self._read("init", driver=driver, reconfigure=IsFlagged, input=False, **options)

    def plan(
        self,
        *,
        destroy: bool = False,
        variables: Mapping[str, object] | None = None,
        imports: Mapping[str, str] | None = None,
        targets: Collection[str] = (),
        refresh: bool = True,
    ) -> Plan:
        """Save a plan to a file.

        Parameters
        ----------
        destroy : whether the plan destroys all resources
        variables : values of input variables for this plan only
        imports : import IDs of the resources to import, by address
        targets : addresses of the resources to plan, together with their dependencies; empty for all resources
        refresh : whether Terraform first updates the state from the existing resources

        Raises
        ------
        TerraformError
            The configuration or a variable is invalid, or AWS refuses a request.
        """
        with self._import_blocks(imports or {}):
            code, output = self._initialized(
                lambda: self._run(
                    "plan",
                    self._driver.plan,
                    accepted=(NO_CHANGES, CHANGES),
                    out=str(self._plan),
                    var=dict(variables) if variables else None,
                    lock_timeout=LOCK_TIMEOUT,
                    destroy=IsFlagged if destroy else None,
                    target=list(targets),
                    refresh=None if refresh else False,
                )
            )
        found = PLAN_SUMMARY.search(output)
        changes = sum(int(count or 0) for count in found.groups()) if found else 0
        empty = code == NO_CHANGES
        # Terraform prints no summary if only outputs change
        summary = found.group(0) if found else ("No changes." if empty else "Plan: only outputs change")
        return Plan(self._plan, changes, empty, summary)

    @contextlib.contextmanager
    def _import_blocks(self, ids: Mapping[str, str]) -> Iterator[None]:
        """Add import blocks to the root module for the duration of the context.

        All environments use the same file. It is deleted even if there is nothing to import, so that import blocks of a
        killed process are not used for another environment.
        """
        file = self.directory / "imports.tf"
        if ids:
            file.write_text("".join(IMPORT_BLOCK % (address, json.dumps(ids[address])) for address in ids))
        else:
            file.unlink(missing_ok=True)
        try:
            yield
        finally:
            file.unlink(missing_ok=True)

    def interrupted_creations(self) -> set[str]:
        """Return the addresses of the resources that a killed apply was creating or importing.

        The set is empty if the last apply was not killed.
        """
        log = self._log("apply")
        output = log.read_text() if log.is_file() else ""
        if APPLY_ENDED.search(output):
            return set()
        return set(STARTED_RESOURCE.findall(output)) - set(FINISHED_RESOURCE.findall(output))

    def show(self, plan: Plan) -> dict[str, Any]:
        """Return a plan's content in this format: https://developer.hashicorp.com/terraform/internals/json-format.

        Raises
        ------
        TerraformError
            The plan cannot be read.
        """
        content: dict[str, Any] = json.loads(self._read("show", str(plan.path), json=True))
        return content

    def saved_plan(self) -> Plan:
        """Return the plan that an earlier process saved; the plan's number of changes is unknown and set to 0.

        Raises
        ------
        OperatorError
            No plan is saved.
        """
        if not self._plan.is_file():
            raise OperatorError(f"{self._plan} does not exist: run `make plan ENV={self.environment}` first")
        return Plan(self._plan, changes=0, empty=False, summary="")

    def apply(self, plan: Plan) -> None:
        """Apply a saved plan, and delete its file.

        Raises
        ------
        TerraformError
            A change failed; the state contains the changes that succeeded.
        """
        if not plan.empty:
            self._run(
                "apply",
                self._driver.apply,
                str(plan.path),
                total=plan.changes or None,
                var_file=None,
                var=None,
                lock_timeout=LOCK_TIMEOUT,
            )
        plan.path.unlink(missing_ok=True)

    def outputs(self) -> dict[str, Any]:
        """Return the outputs' values by name; the dictionary is empty before the first apply.

        Raises
        ------
        TerraformError
            The state cannot be read.
        """
        if not self.backend_file.is_file():
            if not self.local_state.is_complete():
                raise TerraformError(
                    f"{self.local_state.path} is incomplete, because Terraform is running or was killed: "
                    f"run `make up ENV={self.environment}` or `make down ENV={self.environment}`"
                )
            if not (self.directory / self._data_directory).is_dir():
                return {}
        outputs = json.loads(self._initialized(lambda: self._read("output", json=True)))
        return {name: output["value"] for name, output in outputs.items()}

    def _write_backend_block(self) -> None:
        """Write `backend.tf` if this environment's state is in S3, and delete it otherwise.

        All environments share the file, so every command must write or delete it first.
        """
        block = self.directory / "backend.tf"
        if self.backend_file.is_file():
            block.write_text(BACKEND_BLOCK)
        else:
            block.unlink(missing_ok=True)

    def _read(self, command: str, *arguments: str, driver: Driver | None = None, **options: Any) -> str:
        """Run a command and return its stdout."""
        self._write_backend_block()
        code, output, errors = (driver or self._driver).cmd(command, *arguments, **options)
        if code:
            raise failure(command, errors or "")
        return output or ""

    def _initialized(self, run: Callable[[], Ran]) -> Ran:
        """Run a command, and `terraform init` before it only if Terraform requires `init`.

        Terraform requires `init` if there is no data directory or if the command fails with NotInitializedError. `init`
        is not run every time, because it takes longer than a command that fails for this reason.
        """
        if (self.directory / self._data_directory).is_dir():
            with contextlib.suppress(NotInitializedError):
                return run()
        self.init()
        return run()

    def _log(self, name: str) -> Path:
        """Return the path of the file that contains the output of a command's last run."""
        return self.logs / f"terraform-{name}.log"

    def _run(
        self,
        name: str,
        command: Callable[..., Result],
        *arguments: str,
        total: int | None = None,
        accepted: tuple[int, ...] = (0,),
        **options: Any,
    ) -> tuple[int, str]:
        """Run a command with a progress bar and a log file, and return its exit code and output.

        Parameters
        ----------
        name : name of the command, such as `apply`
        command : method of `Driver` that runs the command
        total : number of resources to change, for the progress bar; None shows only the elapsed time
        accepted : exit codes that are not errors
        """
        self._write_backend_block()
        log = self._log(name)
        self.logs.mkdir(parents=True, exist_ok=True)
        with log.open("w") as stream, show_progress(name, log, total):
            code, _, _ = command(*arguments, log=stream, **options)
        output = log.read_text()
        if code not in accepted:
            raise failure(name, output, f" (full output: {log})")
        return code, output


def failure(command: str, output: str, note: str = "") -> TerraformError:
    """Return an exception for a command that failed; the message contains the first error in the command's output."""
    kind = NotInitializedError if "terraform init" in output else TerraformError
    return kind(f"terraform {command} failed: {first_error(output)}{note}")
