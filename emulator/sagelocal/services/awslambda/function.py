"""Functions and results, as the pool of execution environments uses them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Archive:
    """A zip file; two are equal if their digests are."""

    sha256: str
    content: bytes = field(repr=False, compare=False)


@dataclass(frozen=True)
class Logging:
    """A function's log group, log format (`Text` or `JSON`) and minimum level."""

    group: str
    format: str = "Text"
    level: str | None = None


@dataclass(frozen=True)
class Function:
    """One version of a function. An environment is reused while its function is unchanged.

    Attributes
    ----------
    arn
        ARN without a qualifier.
    memory
        In MB; reported and not enforced, because a limit on the address space kills interpreters that use far less
        memory.
    timeout
        In seconds.
    """

    name: str
    arn: str
    version: str
    region: str
    handler: str
    runtime: str
    memory: int
    timeout: int
    variables: tuple[tuple[str, str], ...]
    code: Archive
    layers: tuple[Archive, ...]
    logging: Logging


@dataclass(frozen=True)
class Result:
    """The result of an invocation.

    Attributes
    ----------
    payload
        The handler's return value, or AWS's error document if `failed`.
    log
        The invocation's log, from START to REPORT.
    """

    payload: bytes
    failed: bool
    log: str
    log_stream: str
