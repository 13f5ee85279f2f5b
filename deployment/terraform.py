"""Terraform, driven from Python: the commands an operator would type, with progress and one clear error."""

import contextlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import TerraformError
from common.paths import DIRECTORY, find_mirror, find_terraform
from common.progress import first_error, progress

ENVIRONMENTS = sorted(path.stem for path in (DIRECTORY / "environments").glob("*.tfvars"))

# A backend block is no part of the configuration: a plain `terraform apply` keeps its state beside it
BACKEND = 'terraform {\n  backend "s3" {}\n}\n'

PLANNED = re.compile(r"^Plan: (?:(\d+) to import, )?(\d+) to add, (\d+) to change, (\d+) to destroy", re.M)
NO_CHANGES, CHANGES = 0, 2
LOCK_TIMEOUT = "2m"  # an apply whose terminal was closed goes on for a while, and the next one waits for it


@dataclass(frozen=True)
class Plan:
    """A saved plan: what `apply` will do, and nothing else.

    Attributes
    ----------
    path : file that `terraform apply` takes
    changes : how many resources it adds, changes and destroys together
    empty : whether it changes nothing, outputs included
    summary : Terraform's own line
    """

    path: Path
    changes: int
    empty: bool
    summary: str


class Terraform:
    """Terraform in `terraform/` with the variables of one environment.

    It works on the state in S3 where `make state` has written down where that is, else on the state of the selected
    workspace, as a plain `terraform` there would.

    Parameters
    ----------
    environment : a name in `terraform/environments/`
    logs : folder for Terraform's output and the saved plan
    directory : the root module, which has the environments' files in it or beside it
    """

    def __init__(self, environment: str, *, logs: Path, directory: Path = DIRECTORY) -> None:
        from python_terraform import Terraform as Driver  # logs on import, and `--help` needs none of it

        logging.getLogger("python_terraform").setLevel(logging.ERROR)  # it warns of what is raised here
        self.environment = environment
        self.logs = logs.resolve()
        self.directory = directory
        self._plan = self.logs / "terraform.tfplan"
        self._driver = Driver(
            working_dir=str(directory),
            var_file=f"{'' if (directory / 'environments').is_dir() else '../'}environments/{environment}.tfvars",
            terraform_bin_path=find_terraform(),
        )
        self._drop_missing_cli_config()
        self._select_backend()

    @property
    def backend_file(self) -> Path:
        """Where the state is, if it is in S3: what `terraform init -backend-config` reads."""
        return self.directory / f"{self.environment}.s3.tfbackend"

    def init(self) -> None:
        """Install the provider (from a mirror where there is one) and the modules.

        Raises
        ------
        TerraformError
            No provider can be had.
        """
        mirror = find_mirror(self.directory / ".terraform.lock.hcl")
        backend: dict[str, Any] = {"backend-config": self.backend_file.name} if self.backend_file.is_file() else {}
        self._run(
            "init",
            self._driver.init,
            var=None,
            var_file=None,
            reconfigure=None,
            lockfile="readonly",
            **backend,
            plugin_dir=str(mirror) if mirror else None,
        )

    def plan(self, *, destroy: bool = False) -> Plan:
        """Plan to a file.

        Raises
        ------
        TerraformError
            The configuration or a variable is wrong, or AWS refuses to be read.
        """
        self.init()
        from python_terraform import IsFlagged

        code, text = self._run(
            "plan",
            self._driver.plan,
            accept=(NO_CHANGES, CHANGES),
            out=str(self._plan),
            var=None,
            lock_timeout=LOCK_TIMEOUT,
            destroy=IsFlagged if destroy else None,
        )
        found = PLANNED.search(text)
        changes = sum(int(count or 0) for count in found.groups()) if found else 0
        return Plan(self._plan, changes, code == NO_CHANGES, found.group(0) if found else "No changes.")

    def show(self, plan: Plan) -> dict[str, Any]:
        """A saved plan's content, as https://developer.hashicorp.com/terraform/internals/json-format has it.

        Raises
        ------
        TerraformError
            The plan cannot be read.
        """
        code, text, error = self._driver.show_cmd(str(plan.path), json=True)
        if code:
            raise TerraformError(f"terraform show failed: {first_error(error)}")
        content: dict[str, Any] = json.loads(text)
        return content

    @property
    def saved_plan(self) -> Plan:
        """What an earlier command planned and kept; how much it changes is not known any more."""
        return Plan(self._plan, changes=0, empty=False, summary="")

    def apply(self, plan: Plan) -> None:
        """Apply a saved plan, and nothing but it.

        Raises
        ------
        TerraformError
            A resource could not be made, changed or destroyed; what was done is kept in the state.
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

    def keep_state_in(self, backend: Mapping[str, str]) -> None:
        """Move the state to S3.

        Parameters
        ----------
        backend : settings of Terraform's backend `s3`

        Raises
        ------
        TerraformError
            It cannot be moved: the old one is still there, and still used.
        """
        self.init()
        old = self._local_state()
        code, state, error = self._driver.cmd("state", "pull")
        if code:
            raise TerraformError(f"terraform state pull failed: {first_error(error or '')}")
        self.backend_file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in backend.items()))
        self._select_backend()
        try:
            # Terraform would ask whether to copy, and over what: a push goes over nothing but an older state of its own
            with out_of_sight(self.directory / "terraform.tfstate", self.directory / "terraform.tfstate.d"):
                self.init()
            if state:
                self._push(state)
        except TerraformError:
            self.backend_file.unlink()
            self._select_backend()
            raise
        if old.is_file():  # one that is still found would be used by whoever deletes the backend's file
            old.rename(old.with_suffix(".tfstate.moved"))

    def _local_state(self) -> Path:
        """Where the selected workspace keeps its state beside the configuration."""
        workspace = self._driver.cmd("workspace", "show")[1].strip()
        folder = self.directory / "terraform.tfstate.d" / workspace if workspace != "default" else self.directory
        return folder / "terraform.tfstate"

    def _push(self, state: str) -> None:
        """Put a state where there is none yet, or an older one of its own."""
        with tempfile.NamedTemporaryFile("w", suffix=".tfstate") as file:
            file.write(state)
            file.flush()
            code, _, error = self._driver.cmd("state", "push", f"-lock-timeout={LOCK_TIMEOUT}", file.name)
        if code:
            raise TerraformError(f"terraform state push failed: {first_error(error or '')}")

    def _select_backend(self) -> None:
        """Have Terraform look for the state where this environment's is."""
        block = self.directory / "backend.tf"
        if self.backend_file.is_file():
            block.write_text(BACKEND)
            os.environ["TF_DATA_DIR"] = f".terraform/{self.environment}"
        else:
            block.unlink(missing_ok=True)
            os.environ.pop("TF_DATA_DIR", None)

    def outputs(self) -> dict[str, Any]:
        """The outputs by name, empty before the first apply.

        Raises
        ------
        TerraformError
            The state cannot be read.
        """
        if not (self.directory / os.environ.get("TF_DATA_DIR", ".terraform")).is_dir():
            return {}
        code, text, error = self._driver.output_cmd(json=True)
        if code:
            raise TerraformError(f"terraform output failed: {first_error(error)}")
        return {name: output["value"] for name, output in json.loads(text).items()}

    def _run(
        self,
        name: str,
        command: Callable[..., tuple[int, str | None, str | None]],
        *arguments: str,
        total: int | None = None,
        accept: tuple[int, ...] = (0,),
        **options: Any,
    ) -> tuple[int, str]:
        """Run one command with its output in a log, a bar on the terminal meanwhile."""
        log = self.logs / f"terraform-{name}.log"
        self.logs.mkdir(parents=True, exist_ok=True)
        # the driver gives a child Python's own two streams, and can follow none
        with (
            log.open("w+") as stream,
            progress(name, log, total),
            contextlib.redirect_stdout(stream),
            contextlib.redirect_stderr(stream),
        ):
            code, _, _ = command(*arguments, capture_output=False, **options)
        text = log.read_text()
        if code not in accept:
            raise TerraformError(f"terraform {name} failed: {first_error(text)} (all of it: {log})")
        return code, text

    @staticmethod
    def _drop_missing_cli_config() -> None:
        """Terraform warns on every command of a CLI configuration that is named but not there."""
        named = os.environ.get("TF_CLI_CONFIG_FILE")
        if named and not Path(named).is_file():
            del os.environ["TF_CLI_CONFIG_FILE"]


@contextlib.contextmanager
def out_of_sight(*paths: Path) -> Iterator[None]:
    """Files and folders that are not there for a while."""
    hidden = {path: path.with_name(f"{path.name}.hidden") for path in paths if path.exists()}
    for path, elsewhere in hidden.items():
        path.rename(elsewhere)
    try:
        yield
    finally:
        for path, elsewhere in hidden.items():
            elsewhere.rename(path)
