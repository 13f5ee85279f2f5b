"""EC2: the description of a security group's rule, which moto keeps for addresses alone."""

from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace

PARAMETERS = (
    "ec2_backend",
    "ip_protocol",
    "group_id",
    "from_port",
    "to_port",
    "ip_range",
    "source_group",
    "prefix_list_id",
    "is_egress",
    "tags",
)


def install(emulator: Emulator) -> None:
    """Keep the descriptions of rules for groups and for prefix lists too."""

    def keep(rule: Any, *arguments: Any, **named: Any) -> None:
        make(rule, *arguments, **named)
        given = dict(zip(PARAMETERS, arguments, strict=False)) | named
        rule.prefix_description = (given.get("prefix_list_id") or {}).get("Description")

    def description(rule: Any) -> str | None:
        found: str | None = described(rule) or rule.source_group.get("Description") or rule.prefix_description
        return found

    make = replace(SecurityGroupRule, "__init__", keep, parameters=PARAMETERS)
    described = replace(SecurityGroupRule, "description", description)
