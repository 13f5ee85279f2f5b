"""A gRPC proxy between Terraform and a running AWS provider that shortens the provider's schema.

Every Terraform process reads the schemas of all types of the AWS provider, about 2,000. Reading them takes more CPU
time than most plans of this project. The proxy removes the types that the project does not use from the response, and
forwards all other messages unchanged.
"""

import contextlib
import re
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import grpc

THREADS = 32
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]

# The response to GetSchema contains maps from type names to schemas, in these fields:
# https://github.com/hashicorp/terraform/blob/v1.11.4/docs/plugin-protocol/tfplugin5.8.proto
GET_SCHEMA = "/tfplugin5.Provider/GetSchema"
RESOURCES, DATA_SOURCES, EPHEMERAL_RESOURCES = 2, 3, 8
LENGTH_DELIMITED = 2  # wire type of strings, messages and map entries


def used_types(root: Path) -> frozenset[str]:
    """Return the names in a directory's Terraform files that may be types of the AWS provider."""
    files = (path for pattern in ("*.tf", "*.tftest.hcl") for path in root.rglob(pattern))
    return frozenset(name for path in files for name in re.findall(r"\baws_\w+", path.read_text()))


@contextlib.contextmanager
def shortened_schema(plugin: dict[str, Any], types: Collection[str]) -> Iterator[dict[str, Any]]:
    """Run a proxy for a provider process, and yield the proxy's description for `TF_REATTACH_PROVIDERS`.

    Parameters
    ----------
    plugin : description of the provider process
    types : resource types and data sources that the schema keeps
    """
    with (
        tempfile.TemporaryDirectory() as directory,  # the path of a Unix socket has at most 107 bytes
        grpc.insecure_channel(f"unix:{plugin['Addr']['String']}", options=UNLIMITED) as channel,
        ThreadPoolExecutor(THREADS) as pool,
    ):
        socket = str(Path(directory, "provider"))
        server = grpc.server(pool, handlers=[Proxy(channel, types)], options=UNLIMITED)
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        try:
            yield {**plugin, "Addr": {"Network": "unix", "String": socket}}
        finally:
            server.stop(grace=None).wait()


class Proxy(grpc.GenericRpcHandler):  # type: ignore[misc]  # the package is untyped
    """Forwards all unary calls to a channel, and removes types from the provider's schema.

    Parameters
    ----------
    channel : connection to the provider
    types : resource types and data sources that the schema keeps
    """

    def __init__(self, channel: grpc.Channel, types: Collection[str]) -> None:
        self._channel = channel
        self._types = types

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Return the handler of a method; None for go-plugin's streams, which Terraform does not require."""
        if details.method.startswith("/plugin.GRPC"):
            return None
        if details.method == GET_SCHEMA:
            return grpc.unary_unary_rpc_method_handler(lambda request, context: self._schema(request))
        call = self._channel.unary_unary(details.method)

        def forward(request: bytes, context: grpc.ServicerContext) -> bytes:
            try:
                response: bytes = call(request)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            return response

        return grpc.unary_unary_rpc_method_handler(forward)

    @cache  # noqa: B019  # one proxy is used as long as the provider runs
    def _schema(self, request: bytes) -> bytes:
        """Return the provider's schema without the types that the project does not use."""
        return remove_types(self._channel.unary_unary(GET_SCHEMA)(request), self._types)


def remove_types(schema: bytes, types: Collection[str]) -> bytes:
    """Return a response to GetSchema without the types that are not in `types`.

    https://protobuf.dev/programming-guides/encoding describes the encoding: each field of the response is a tag, a
    length and a value. The value of a map's entry starts with the tag and the length of the key.
    """
    kept, start = bytearray(), 0
    while start < len(schema):
        tag, position = read_varint(schema, start)
        length, position = read_varint(schema, position)
        end = position + length
        assert tag & 7 == LENGTH_DELIMITED
        if tag >> 3 not in (RESOURCES, DATA_SOURCES, EPHEMERAL_RESOURCES) or map_key(schema, position) in types:
            kept += schema[start:end]
        start = end
    return bytes(kept)


def map_key(message: bytes, position: int) -> str:
    """Return the key of the map entry that starts at `position`."""
    _, position = read_varint(message, position)
    length, position = read_varint(message, position)
    return message[position : position + length].decode()


def read_varint(message: bytes, position: int) -> tuple[int, int]:
    """Return the integer that starts at `position`, and the position after it."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
