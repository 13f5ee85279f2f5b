"""The processes that train one model together.

torchrun starts one process for each GPU, or one process on a host without a GPU. Without torchrun, a single process
trains the model.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed

from .events import log_event


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of the job, and the rank of this process.

    Attributes
    ----------
    rank, size : this process's rank, and the number of processes
    device : this process's device
    sharded : True if each host has only some of the shards of the training data, False if each host has all data
    local_rank, local_size : this process's rank on its host, and the number of processes on this host
    """

    rank: int
    size: int
    device: torch.device
    sharded: bool
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process is rank 0, which logs and writes all files."""
        return self.rank == 0

    def log(self, event: str, **fields: object) -> None:
        """Log an event once for all processes."""
        if self.is_main:
            log_event(event, **fields)

    def broadcast(self, value: Any) -> Any:
        """Return rank 0's value in every process."""
        values = [value]
        if self.size > 1:
            distributed.broadcast_object_list(values)
        return values[0]

    def close(self) -> None:
        """Close the connections to the other processes."""
        if self.size > 1:
            distributed.destroy_process_group()


def join_processes(environment: Mapping[str, str] = os.environ) -> ProcessGroup:
    """Join the processes that torchrun's environment variables describe; without torchrun, return a single process."""
    rank, local_rank = (int(environment.get(name, "0")) for name in ("RANK", "LOCAL_RANK"))
    size, local_size = (int(environment.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if size > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", environment.get("SM_NETWORK_INTERFACE_NAME", "eth0"))
        distributed.init_process_group("nccl" if cuda else "gloo")
    channels = json.loads(environment.get("SM_INPUT_DATA_CONFIG", "{}"))
    distribution = channels.get("train", {}).get("S3DistributionType", "FullyReplicated")
    return ProcessGroup(rank, size, device, size > 1 and distribution == "ShardedByS3Key", local_rank, local_size)
