"""DynamoDB: transactions are atomic, and operations on items are serializable.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-isolation

moto copies the whole tables before each transaction, and puts the copies in the tables' place if the transaction fails.
Writes of other requests in the meantime are lost, and the cost of a transaction grows with the tables.
"""

import copy
import threading
from collections.abc import Callable
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import StreamShard, Table

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import add, replace

CONDITION = ("condition_expression", "expression_attribute_names", "expression_attribute_values")
EXPRESSION_ATTRIBUTES = CONDITION[1:]
OLD_VALUES = "return_values_on_condition_check_failure"
# Operations on items, each with its parameters
OPERATIONS = {
    "get_item": ("table_name", "keys", "projection_expressions"),
    "put_item": ("table_name", "item_attrs", "expected", *CONDITION, "overwrite", OLD_VALUES),
    "update_item": (
        *("table_name", "key", "update_expression", *EXPRESSION_ATTRIBUTES),
        *("attribute_updates", "expected", "condition_expression", OLD_VALUES),
    ),
    "delete_item": ("table_name", "key", *EXPRESSION_ATTRIBUTES, "condition_expression", OLD_VALUES),
    "query": (
        *("table_name", "hash_key_dict", "range_comparison", "range_value_dicts", "limit", "exclusive_start_key"),
        *("scan_index_forward", "projection_expressions", "index_name", "consistent_read", "expr_names", "expr_values"),
        *("filter_expression", "hash_key_conditions", "range_key_conditions", "filter_kwargs"),
    ),
    "scan": (
        *("table_name", "filters", "limit", "exclusive_start_key", "filter_expression", "expr_names", "expr_values"),
        *("index_name", "consistent_read", "projection_expression", "segments"),
    ),
}


def install(emulator: Emulator) -> None:
    """Replace moto's transactions, and let one operation on items run at a time."""
    isolation = _Isolation()
    add(Table, "__deepcopy__", lambda table, memo: table)  # only transactions copy tables
    _replace_transactions(isolation)
    for name, parameters in OPERATIONS.items():
        _isolate(isolation, name, parameters)


class _Isolation:
    """Runs one operation at a time, and then adds its records to the tables' streams.

    moto invokes Lambda functions when a record is added, and they may call DynamoDB.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread = threading.local()  # `records` is set during the thread's operation

        def add(shard: StreamShard, old: Any, new: Any) -> None:
            self._thread.records.append((shard, old, new))

        self._add = replace(StreamShard, "add", add, parameters=("old", "new"))

    def run(self, operation: Callable[[], Any]) -> Any:
        """Run an operation, or a part of the thread's current one."""
        if hasattr(self._thread, "records"):
            return operation()
        records: list[tuple[StreamShard, Any, Any]] = []
        self._thread.records = records
        try:
            with self._lock:
                result = operation()
        finally:
            del self._thread.records
        for record in records:
            self._add(*record)
        return result


def _isolate(isolation: _Isolation, name: str, parameters: tuple[str, ...]) -> None:
    def isolated(backend: DynamoDBBackend, *arguments: Any, **named: Any) -> Any:
        return isolation.run(lambda: original(backend, *arguments, **named))

    original = replace(DynamoDBBackend, name, isolated, parameters=parameters)


def _replace_transactions(isolation: _Isolation) -> None:
    def transact_write_items(backend: DynamoDBBackend, transact_items: list[dict[str, Any]]) -> None:
        def transact() -> None:
            undo = [_undo(backend, operation) for item in transact_items for operation in item.values()]
            try:
                original(backend, transact_items)
            except Exception:
                for restore in undo:
                    restore()
                raise

        isolation.run(transact)

    original = replace(DynamoDBBackend, "transact_write_items", transact_write_items, parameters=("transact_items",))


def _undo(backend: DynamoDBBackend, operation: dict[str, Any]) -> Callable[[], object]:
    """Return a function that restores the item that an operation of a transaction may change."""
    try:
        table = backend.get_table(operation["TableName"])
        hash_key, range_key = backend.get_keys_value(table, operation.get("Key") or operation["Item"])
        item = copy.deepcopy(table.get_item(hash_key, range_key))
    except Exception:  # the transaction fails for the same reason
        return lambda: None

    def restore() -> None:
        if item is None:
            table.delete_item(hash_key, range_key)
        elif range_key is None:
            table.items[hash_key] = item  # type: ignore[assignment]
        else:
            table.items[hash_key][range_key] = item

    return restore
