"""Data classes for functions and the results of invocations."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Archive:
    """The zip file of a function or a layer. Two archives are equal if their digests are equal."""

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
    """One version of a function. An execution environment is reused only for an equal `Function`.

    Attributes
    ----------
    arn
        ARN of the function, without a version or an alias.
    memory
        Memory size in MB. The log reports this size, but nothing enforces it: a limit on the address space would also
        stop processes that use far less memory.
    timeout
        Time limit of an invocation, in seconds.
    variables
        Names and values of the environment variables in the function's configuration.
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
        The log lines of the invocation, from START to REPORT.
    log_stream
        Name of the log stream of the execution environment.
    """

    payload: bytes
    failed: bool
    log: str
    log_stream: str
