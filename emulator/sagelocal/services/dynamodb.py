"""DynamoDB: atomic writes and transactions.

moto checks a condition and writes the item without a lock, so two simultaneous writes may both find the condition met.
For a transaction, moto copies whole tables. If a transaction is cancelled, moto restores the copies, which undoes the
writes that other requests made in the meantime. AWS serializes the writes of an item, and a transaction changes only
its own items:
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

# Only one of these operations runs at a time. Reads are included, because a query or scan fails if another thread adds
# an item during the read.
SERIALIZED = ("get_item", "query", "scan", "put_item", "update_item", "delete_item")

Key = tuple[str, DynamoType, DynamoType | None]

_lock = threading.RLock()


def install(emulator: Emulator) -> None:
    """Run operations on items one at a time, and replace moto's implementation of transactions."""
    for name in SERIALIZED:
        original = getattr(DynamoDBBackend, name)
        # accept the parameters of any release of moto, because the wrapper passes all arguments on
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
    """Run a transaction on copies of its items, and write the changed copies to the tables if the transaction succeeds.

    Parameters
    ----------
    write
        moto's implementation of the operation TransactWriteItems.
    """
    with _lock:
        keys = list(_keys(backend, transact_items))
        trial = copy.copy(backend)
        trial.tables = dict(backend.tables)
        for name in {name for name, _, _ in keys}:
            trial.tables[name] = _partial_table(backend.tables[name], [key for key in keys if key[0] == name])
        write(trial, transact_items)
        for name, hash_key, range_key in keys:
            _write_result(backend.tables[name], hash_key, range_key, trial.tables[name].get_item(hash_key, range_key))


def _keys(backend: Any, transact_items: list[dict[str, Any]]) -> Iterator[Key]:
    """Yield the key of each item in a transaction.

    Skip items with an unknown table or an incomplete key, because moto will refuse the transaction.
    """
    for request in transact_items:
        operation = next(iter(request.values()))
        table = backend.tables.get(operation.get("TableName"))
        attributes = operation.get("Key") or operation.get("Item") or {}
        names = [name for name in (table.hash_key_attr, table.range_key_attr) if name] if table else []
        if names and all(name in attributes for name in names):
            values = [DynamoType(attributes[name]) for name in names]
            yield table.name, values[0], values[1] if len(values) == 2 else None


def _partial_table(table: Any, keys: list[Key]) -> Any:
    """Return a copy of a table that contains copies of only the items with these keys, and has no stream."""
    partial = copy.copy(table)
    partial.stream_shard = None
    partial.items = defaultdict(dict)
    for _, hash_key, range_key in keys:
        if item := copy.deepcopy(table.get_item(hash_key, range_key)):
            _put(partial, hash_key, range_key, item)
    return partial


def _write_result(table: Any, hash_key: DynamoType, range_key: DynamoType | None, item: Any) -> None:
    """Write the result of a transaction for one item to the table and its stream.

    Parameters
    ----------
    item
        The item after the transaction, or None if the item does not exist any more.
    """
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
