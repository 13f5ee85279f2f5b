"""The job's hosts: one process each (one a GPU where there are some), started by torchrun."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed


@dataclass(frozen=True)
class Group:
    """This process among those of the job.

    Attributes
    ----------
    rank, size : its number, and how many there are
    device : what it computes on
    sharded : whether each host has rows of its own; else all have all
    local_rank, local_size : its number among its host's processes, and how many those are
    """

    rank: int
    size: int
    device: torch.device
    sharded: bool
    local_rank: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    def share(self, value: Any) -> Any:
        """What the leading process has, at all of them."""
        values = [value]
        if self.size > 1:
            distributed.broadcast_object_list(values)
        return values[0]


def join(environment: Mapping[str, str] = os.environ) -> Group:
    """Join the processes that torchrun's variables tell of; alone where there are none."""
    rank, local = (int(environment.get(name, "0")) for name in ("RANK", "LOCAL_RANK"))
    size, local_size = (int(environment.get(name, "1")) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if size > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", environment.get("SM_NETWORK_INTERFACE_NAME", "eth0"))
        distributed.init_process_group("nccl" if cuda else "gloo")
    channels = json.loads(environment.get("SM_INPUT_DATA_CONFIG", "{}"))
    distribution = channels.get("train", {}).get("S3DistributionType", "FullyReplicated")
    return Group(rank, size, device, size > 1 and distribution == "ShardedByS3Key", local, local_size)


def leave(group: Group) -> None:
    """Part from the others."""
    if group.size > 1:
        distributed.destroy_process_group()
