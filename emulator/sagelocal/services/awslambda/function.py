"""What an execution environment needs to know of a function."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Archive:
    """A zip by its digest: two are the same if their digests are."""

    sha256: str
    content: bytes = field(repr=False, compare=False)


@dataclass(frozen=True)
class Logging:
    """Where a function's environments log to, as lines of `Text` or objects of `JSON`, from which level on."""

    group: str
    form: str = "Text"
    level: str | None = None


@dataclass(frozen=True)
class Function:
    """One version of a function as it is now. An environment serves as long as its function is unchanged.

    `arn` is the one without a qualifier; `timeout` is in seconds, `memory` in MB (reported, not enforced: a limit
    on the address space kills interpreters that use far less real memory).
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
    """What an invocation came to.

    `payload` is what the handler returned, or AWS's error document where `failed`; `log` is all that the
    invocation wrote, from START to REPORT.
    """

    payload: bytes
    failed: bool
    log: str
    log_stream: str
