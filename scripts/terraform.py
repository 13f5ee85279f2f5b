"""Terraform, driven from Python: the commands an operator would type, with progress and one clear error."""

import contextlib
import json
import logging
import os
import platform
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = ROOT / "terraform"
TOOLS = ROOT / ".tools"
ENVIRONMENTS = sorted(path.stem for path in (DIRECTORY / "environments").glob("*.tfvars"))

MIRROR_VARIABLE = "TF_PROVIDER_MIRROR"
REGISTRY = "registry.terraform.io"
# Terraform searches these by itself: https://developer.hashicorp.com/terraform/cli/config/config-file
STANDARD_MIRRORS = ("~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/share/terraform/plugins")
# Where images of build machines put a mirror that Terraform is then told of
IMAGE_MIRRORS = ("/opt/*", "/opt/*/*", "/usr/local/share/*", "/usr/local/lib/*", "/srv/*", "/var/lib/*")

# A backend block is no part of the configuration: a plain `terraform apply` keeps its state beside it
BACKEND = 'terraform {\n  backend "s3" {}\n}\n'

PLANNED = re.compile(r"^Plan: (?:(\d+) to import, )?(\d+) to add, (\d+) to change, (\d+) to destroy", re.M)
DONE = re.compile(r"^(\S+?): (?:Creation|Modifications|Destruction) complete")
NO_CHANGES, CHANGES = 0, 2
LOCK_TIMEOUT = "2m"  # an apply whose terminal was closed goes on for a while, and the next one waits for it


class OperatorError(Exception):
    """A condition that the operator can mend; the message says how."""


class TerraformError(OperatorError):
    """Terraform refused or failed."""


class TerraformMissingError(OperatorError):
    """There is no Terraform, or an older one than the project needs."""


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


@contextlib.contextmanager
def progress(name: str, log: Path, total: int | None) -> Iterator[None]:
    """Follow a growing log: a bar that counts finished resources, or only the time where none is known."""
    finished = threading.Event()
    if not sys.stderr.isatty():
        print(f"terraform {name}", file=sys.stderr, flush=True)
    bar = tqdm(
        total=total,
        disable=None,  # where nobody watches, a line is enough
        desc=f"terraform {name}",
        unit="resource",
        file=sys.stderr,
        ncols=80,
        leave=bool(total),
        bar_format="{desc}: {n}/{total} resources |{bar}| {elapsed}" if total else "{desc} {elapsed}",
    )

    def follow() -> None:
        with log.open() as stream:
            while True:
                last_round = finished.is_set()
                for line in stream:
                    bar.update(1 if DONE.match(line) else 0)
                bar.refresh()
                if last_round:
                    return
                finished.wait(0.3)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        bar.close()


def first_error(text: str) -> str:
    """Terraform's first error in one line, without its frame and its excerpt of the code."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    found = re.search(r"Error: (.*?)(?=\n╵|\nError: |\n╷|\Z)", plain, re.DOTALL)
    if not found:
        lines = [line.strip() for line in plain.splitlines() if line.strip()]
        return lines[-1] if lines else "it printed nothing"
    lines = [line.strip("│ \t") for line in found.group(1).splitlines()]
    paragraphs = "\n".join(lines).split("\n\n")
    kept = [each for each in paragraphs if not re.match(r"(on |with )", each.strip())]
    return " ".join(" ".join(kept).split())


def find_terraform() -> str:
    """The Terraform to run: the project's own where `make setup` fetched one, else the PATH's.

    Raises
    ------
    TerraformMissingError
        There is none.
    """
    own = TOOLS / "terraform"
    found = str(own) if own.is_file() else shutil.which("terraform")
    if not found:
        raise TerraformMissingError("Terraform is not installed: run `make setup`")
    return found


def find_mirror(lock_file: Path) -> Path | None:
    """The filesystem mirror to name to Terraform, or None where it needs none.

    In this order: the variable `TF_PROVIDER_MIRROR`; nothing where Terraform finds one by itself or is
    told of one already; then the places where images of build machines put mirrors. One that lacks the
    locked version for this platform is passed over, since a mirror that is named blocks every other source.
    """
    named = os.environ.get(MIRROR_VARIABLE)
    if named:
        return Path(named).expanduser()
    if "-plugin-dir" in os.environ.get("TF_CLI_ARGS_init", ""):  # noqa: SIM112 (its name)
        return None
    wanted = locked_provider(lock_file)
    if any((Path(place).expanduser() / wanted).is_dir() for place in STANDARD_MIRRORS):
        return None
    places = (path for pattern in IMAGE_MIRRORS for path in sorted(Path("/").glob(pattern.lstrip("/"))))
    return next((path for path in places if (path / wanted).is_dir()), None)


def locked_provider(lock_file: Path) -> Path:
    """Where a mirror keeps the locked AWS provider for this platform, below the mirror's folder."""
    found = re.search(r'version\s*=\s*"([^"]+)"', lock_file.read_text())
    if not found:
        raise TerraformError(f"{lock_file} names no version: restore it from git")
    return Path(REGISTRY, "hashicorp", "aws", found.group(1), platform_name())


def platform_name() -> str:
    """This machine in the words of Terraform's releases, such as `linux_amd64`."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{platform.system().lower()}_{architecture}"
