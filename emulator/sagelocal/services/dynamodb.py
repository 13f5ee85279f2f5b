"""DynamoDB: atomic writes and transactions.

moto checks a condition and writes the item without a lock, so two simultaneous writes may both find the condition met.
For a transaction, moto copies whole tables. A cancelled transaction restores the copies, which undoes the writes that
other requests made meanwhile. AWS serializes writes of an item, and a transaction changes only its own items:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

import copy
import inspect
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType

from sagelocal.core.emulator import Emulator
from sagelocal.core.patching import replace

# Includes reads, because a query or scan fails if another thread adds an item meanwhile
SERIALIZED = ("get_item", "query", "scan", "put_item", "update_item", "delete_item")

Key = tuple[str, DynamoType, DynamoType | None]

_lock = threading.RLock()


def install(emulator: Emulator) -> None:
    """Serialize the operations on items, and replace moto's transactions."""
    for name in SERIALIZED:
        original = getattr(DynamoDBBackend, name)
        # any release of moto fits, because the wrapper passes all arguments on
        parameters = tuple(inspect.signature(original).parameters)[1:]
        replace(DynamoDBBackend, name, _serialized(original), parameters=parameters)
    write = DynamoDBBackend.transact_write_items

    def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
        _transact(write, backend, transact_items)

    replace(DynamoDBBackend, "transact_write_items", transact_write_items, parameters=("transact_items",))


def _serialized(original: Callable[..., Any]) -> Callable[..., Any]:
    def operation(*arguments: Any, **options: Any) -> Any:
        with _lock:
            return original(*arguments, **options)

    return operation


def _transact(write: Callable[..., Any], backend: Any, transact_items: list[dict[str, Any]]) -> None:
    """Run a transaction on copies of its items, and write them to the tables if it succeeds."""
    with _lock:
        keys = list(_keys(backend, transact_items))
        trial = copy.copy(backend)
        trial.tables = dict(backend.tables)
        for name in {name for name, _, _ in keys}:
            trial.tables[name] = _part(backend.tables[name], [key for key in keys if key[0] == name])
        write(trial, transact_items)
        for name, hash_key, range_key in keys:
            _keep(backend.tables[name], hash_key, range_key, trial.tables[name].get_item(hash_key, range_key))


def _keys(backend: Any, transact_items: list[dict[str, Any]]) -> Iterator[Key]:
    """Yield the key of each item; moto refuses requests with an unknown table or an incomplete key."""
    for request in transact_items:
        operation = next(iter(request.values()))
        table = backend.tables.get(operation.get("TableName"))
        attributes = operation.get("Key") or operation.get("Item") or {}
        names = [name for name in (table.hash_key_attr, table.range_key_attr) if name] if table else []
        if names and all(name in attributes for name in names):
            values = [DynamoType(attributes[name]) for name in names]
            yield table.name, values[0], values[1] if len(values) == 2 else None


def _part(table: Any, keys: list[Key]) -> Any:
    """Return a table with copies of these items only, and without a stream."""
    part = copy.copy(table)
    part.stream_shard = None
    part.items = defaultdict(dict)
    for _, hash_key, range_key in keys:
        if item := copy.deepcopy(table.get_item(hash_key, range_key)):
            _put(part, hash_key, range_key, item)
    return part


def _keep(table: Any, hash_key: DynamoType, range_key: DynamoType | None, item: Any) -> None:
    """Write the result of a transaction for one item, a put or a deletion, to the table and its stream."""
    if item is None:
        table.delete_item(hash_key, range_key)
        return
    if table.stream_shard is not None:
        table.stream_shard.add(table.get_item(hash_key, range_key), item)
    _put(table, hash_key, range_key, item)


def _put(table: Any, hash_key: DynamoType, range_key: DynamoType | None, item: Any) -> None:
    if range_key:
        table.items[hash_key][range_key] = item
    else:
        table.items[hash_key] = item
