"""EC2: keeps the descriptions of security group rules whose peer is a security group or a prefix list.

moto returns only the descriptions of rules with IP ranges.
"""

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
    """Make moto keep the descriptions of rules whose peer is a security group or a prefix list."""

    def create(rule: Any, *arguments: Any, **named: Any) -> None:
        create_original(rule, *arguments, **named)
        values = dict(zip(PARAMETERS, arguments, strict=False)) | named
        rule.prefix_description = (values.get("prefix_list_id") or {}).get("Description")

    def description(rule: Any) -> str | None:
        found: str | None = (
            description_original(rule)
            or rule.source_group.get("Description")
            or getattr(rule, "prefix_description", None)  # not set if moto created the rule before this patch
        )
        return found

    create_original = replace(SecurityGroupRule, "__init__", create, parameters=PARAMETERS)
    description_original = replace(SecurityGroupRule, "description", description)
