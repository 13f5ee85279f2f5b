"""The folder layout, configuration files and environment variables of a training container.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html
and https://github.com/aws/sagemaker-training-toolkit (environment variables).

Each host of a job has its own folder instead of `/opt/ml`. The `SM_*` variables contain the path of this folder. The
path also replaces `/opt/ml` in the request's entry point, arguments and environment variables, and in the SDK's driver
scripts.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sagelocal.services.sagemaker.container_paths import localize, localize_scripts

DRIVERS = "sm_drivers"  # the channel with the driver scripts that a job of the SageMaker Python SDK v3 starts
LOOPBACK, INTERFACE = "127.0.0.1", "lo"
FAILURE_LENGTH = 1024  # characters
# the rendezvous address of a job's hosts in the SDK's scripts/environment.py
RENDEZVOUS = re.compile(rb'^SM_MASTER_ADDR = "algo-1"\nSM_MASTER_PORT = 7777$', re.M)


@dataclass(frozen=True)
class TrainingContainer:
    """The folder of one host of a training job, with the layout of `/opt/ml`.

    Attributes
    ----------
    number
        The host's number, starting at 1.
    hosts
        The names of all hosts in the containers' configuration: `algo-1`, `algo-2`, ... A single host of a job without
        driver scripts is called `localhost`, because the older training toolkit waits until the name resolves, and
        `algo-1` does not resolve on this machine. The driver scripts need `algo-1`: they treat a host with any other
        name as a worker.
    """

    root: Path
    number: int
    hosts: tuple[str, ...]

    @classmethod
    def create(cls, root: Path, *, number: int = 1, count: int = 1, channels: Sequence[str]) -> "TrainingContainer":
        """Create a host's folders.

        Parameters
        ----------
        root
            Folder to create, with the layout of `/opt/ml`.
        count
            Number of hosts.
        channels
            Names of the input channels.
        """
        for name in ("input/config", "input/data", "model", "output/data", "checkpoints", "code"):
            (root / name).mkdir(parents=True)
        use_localhost = count == 1 and DRIVERS not in channels
        hosts = ("localhost",) if use_localhost else tuple(f"algo-{each + 1}" for each in range(count))
        return cls(root, number, hosts)

    @property
    def host(self) -> str:
        """The name of this host."""
        return self.hosts[self.number - 1]

    @property
    def working_directory(self) -> Path:
        """The working directory of the container's command."""
        return self.root / "code"

    @property
    def model(self) -> Path:
        """The folder whose content becomes model.tar.gz."""
        return self.root / "model"

    @property
    def output(self) -> Path:
        """The folder whose content becomes output.tar.gz."""
        return self.root / "output" / "data"

    @property
    def checkpoints(self) -> Path:
        """The folder that is uploaded to S3 while the job runs."""
        return self.root / "checkpoints"

    def channel(self, name: str) -> Path:
        """Return the folder of an input channel."""
        return self.root / "input" / "data" / name

    def failure(self) -> str:
        """Return the first `FAILURE_LENGTH` characters of the failure file, or an empty string if there is no file."""
        path = self.root / "output" / "failure"
        return path.read_text(errors="replace")[:FAILURE_LENGTH].strip() if path.is_file() else ""

    def configure(
        self, *, hyperparameters: Mapping[str, str], channels: Sequence[Mapping[str, Any]], instance_type: str
    ) -> None:
        """Write hyperparameters.json, inputdataconfig.json and resourceconfig.json to `input/config`."""
        self._write("hyperparameters", hyperparameters)
        self._write("inputdataconfig", {each["ChannelName"]: _channel_config(each) for each in channels})
        group = {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": list(self.hosts)}
        self._write(
            "resourceconfig",
            {
                "current_host": self.host,
                "current_instance_type": instance_type,
                "current_group_name": group["instance_group_name"],
                "hosts": list(self.hosts),
                "instance_groups": [group],
                "network_interface_name": INTERFACE,
            },
        )

    def variables(self, *, hyperparameters: Mapping[str, str], channels: Sequence[str]) -> dict[str, str]:
        """Return the job's `SM_*` variables, in the format of AWS's training toolkit, and SAGEMAKER_BASE_DIR."""
        root = str(self.root)
        return {
            "SAGEMAKER_BASE_DIR": root,
            "SM_MODEL_DIR": f"{root}/model",
            "SM_INPUT_DIR": f"{root}/input",
            "SM_INPUT_CONFIG_DIR": f"{root}/input/config",
            "SM_INPUT_DATA_DIR": f"{root}/input/data",
            "SM_OUTPUT_DIR": f"{root}/output",
            "SM_OUTPUT_DATA_DIR": f"{root}/output/data",
            "SM_OUTPUT_FAILURE": f"{root}/output/failure",
            "SM_CHECKPOINT_DIR": f"{root}/checkpoints",
            "SM_CHANNELS": json.dumps(list(channels)),
            "SM_HPS": json.dumps(dict(hyperparameters)),
            "SM_HOSTS": json.dumps(self.hosts),
            "SM_CURRENT_HOST": self.host,
            **{f"SM_CHANNEL_{name.upper()}": str(self.channel(name)) for name in channels},
            **{f"SM_HP_{name.replace('-', '_').upper()}": value for name, value in hyperparameters.items()},
        }

    def localize(self, text: str) -> str:
        """Return a text in which `/opt/ml` is replaced with `root`."""
        return localize(text, self.root)

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command unchanged, because the container finds its paths in environment variables."""
        return list(command)

    def localize_drivers(self, port: int) -> None:
        """Replace `/opt/ml` in the SDK's driver scripts, and for several hosts also the rendezvous address and port.

        Parameters
        ----------
        port
            Port on the loopback interface at which the hosts meet.
        """
        localize_scripts(self.channel(DRIVERS), self.root)
        if len(self.hosts) > 1:
            rendezvous = f'SM_MASTER_ADDR = "{LOOPBACK}"\nSM_MASTER_PORT = {port}'.encode()
            for path in self.channel(DRIVERS).rglob("*.py"):
                path.write_bytes(RENDEZVOUS.sub(rendezvous, path.read_bytes()))

    def _write(self, name: str, content: object) -> None:
        (self.root / "input" / "config" / f"{name}.json").write_text(json.dumps(content))


def _channel_config(channel: Mapping[str, Any]) -> dict[str, str]:
    source = channel["DataSource"]["S3DataSource"]
    config = {
        "TrainingInputMode": channel.get("InputMode", "File"),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }
    content_type = channel.get("ContentType")
    return {**config, "ContentType": content_type} if content_type else config
