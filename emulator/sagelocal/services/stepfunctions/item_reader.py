"""`ItemReader` of a Distributed Map: JSON Lines, and S3 listings of more than one page."""

import json
from enum import Enum
from typing import Any

from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader import item_reader_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval.resource_eval_s3 import (
    ResourceEvalS3,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.reader_config import input_type

from sagelocal.core.patching import replace

LISTING_PARAMETERS = ("env", "resource_runtime_part", "state_credentials")


class LineInput(Enum):
    """Input types that moto does not support."""

    JSONL = "JSONL"


class JsonLines(EvalComponent):
    """Reads one item per line and skips blank lines."""

    def _eval_body(self, env: Any) -> None:
        max_items = env.stack.pop()["MaxItemsValue"]
        lines = [line for line in env.stack.pop().splitlines() if line.strip()]
        env.stack.append([json.loads(line) for line in lines[:max_items]])


def install() -> None:
    """Install the fixes into moto."""
    replace(ResourceEvalS3, "_handle_list_objects_v2", list_objects, parameters=LISTING_PARAMETERS)
    _support_json_lines()


def list_objects(env: Any, resource_runtime_part: Any, state_credentials: Any) -> None:
    """Push every object with a prefix onto the stack, in AWS's format."""
    client = ResourceEvalS3._get_s3_client(resource_runtime_part, state_credentials)
    pages = client.get_paginator("list_objects_v2").paginate(**env.stack.pop())
    env.stack.append([_item(entry) for page in pages for entry in page.get("Contents", [])])


def _item(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "Etag": entry["ETag"],
        "Key": entry["Key"],
        "LastModified": int(entry["LastModified"].timestamp()),
        "Size": entry["Size"],
        "StorageClass": entry.get("StorageClass", "STANDARD"),
    }


def _support_json_lines() -> None:
    def create(self: Any, input_type: str) -> None:
        if input_type == LineInput.JSONL.value:
            self.input_type_value = LineInput.JSONL
        else:
            original_type(self, input_type)

    def transformer_for(input_type: Any) -> Any:
        return JsonLines() if input_type.input_type_value is LineInput.JSONL else original(input_type)

    original_type = replace(input_type.InputType, "__init__", create, parameters=("input_type",))
    original = replace(item_reader_decl, "resource_output_transformer_for", transformer_for, parameters=("input_type",))
