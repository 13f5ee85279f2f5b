"""Fetch one file over HTTP: streamed, resumed, retried, checked, and whole or not there at all."""

import contextlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from staging.checksum import file_md5
from staging.errors import StagingError

CONNECT_SECONDS, READ_SECONDS = 5, 30
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each further attempt
CHUNK = 1 << 18
TRANSIENT_STATUS = {408, 416, 425, 429, 500, 502, 503, 504}
GZIP_MAGIC = b"\x1f\x8b"


class DownloadError(StagingError):
    """The file could not be fetched."""


class ChecksumError(StagingError):
    """What came is not what the publisher says it is."""


class NotGzipError(StagingError):
    """The file is something else than a `.tar.gz`."""


class _TransientError(Exception):
    """Worth another attempt."""


TRANSIENT = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError, _TransientError)


@dataclass(frozen=True)
class _Origin:
    """Where bytes on disk come from; kept beside them, so that only the same content is continued."""

    url: str
    validator: str  # a strong ETag or the time of the last change

    @classmethod
    def of(cls, url: str, response: requests.Response) -> "_Origin":
        etag = response.headers.get("ETag", "")
        weak = not etag or etag.startswith("W/")
        return cls(url, response.headers.get("Last-Modified", "") if weak else etag)

    @classmethod
    def beside(cls, path: Path) -> "_Origin | None":
        # absent, or cut off by a crash: then nothing is known, and the download starts anew
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            return cls(**json.loads(_note(path).read_text()))
        return None

    def keep(self, path: Path) -> None:
        _note(path).write_text(json.dumps(asdict(self)))


def download(url: str, path: Path, *, md5: str | None = None) -> Path:
    """Fetch `url` into `path`, continuing what an earlier run left in `<path>.part`.

    Parameters
    ----------
    md5
        The checksum that the publisher gives, where it is known.

    Raises
    ------
    DownloadError
        It cannot be fetched, even after some attempts.
    ChecksumError
        Its checksum is not `md5`; nothing is left under `path`.
    NotGzipError
        It is no gzip file.
    """
    part = path.with_name(f"{path.name}.part")
    if path.is_file() and _is_current(url, path, md5):
        return path
    _fetch_patiently(url, part)
    try:
        _check(url, part, md5)
    except StagingError:
        _discard(part)
        if md5:
            _discard(path)
        raise
    part.replace(path)
    _note(part).replace(_note(path))
    return path


def require_gzip(path: Path, *, name: str) -> None:
    """Raise `NotGzipError` unless the file begins as gzip does."""
    with path.open("rb") as stream:
        if stream.read(len(GZIP_MAGIC)) != GZIP_MAGIC:
            raise NotGzipError(f"{name} is no .tar.gz archive")


def _is_current(url: str, path: Path, md5: str | None) -> bool:
    """Whether what lies under `path` is what `url` serves."""
    if md5:
        return file_md5(path) == md5
    origin = _Origin.beside(path)
    if not origin or origin.url != url or not origin.validator:
        return False
    try:
        response = requests.head(url, allow_redirects=True, timeout=(CONNECT_SECONDS, READ_SECONDS))
    except requests.RequestException:
        return False  # the download itself reports it
    return response.ok and _Origin.of(url, response) == origin


def _fetch_patiently(url: str, part: Path) -> None:
    for pause in (*PAUSES, None):
        try:
            return _fetch(url, part)
        except TRANSIENT as error:
            reason = _reason(error)
            if pause is None:
                raise DownloadError(
                    f"{url} could not be fetched: {reason}; say it again to go on from where it stopped"
                ) from error
            print(f"{reason}: trying again in {pause:g} s", file=sys.stderr)
            time.sleep(pause)
        except requests.RequestException as error:
            raise DownloadError(f"{url} could not be fetched: {_reason(error)}") from error
    return None


def _fetch(url: str, part: Path) -> None:
    begun = _Origin.beside(part)
    have = part.stat().st_size if begun and begun.url == url and begun.validator and part.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if begun and have:
        headers |= {"Range": f"bytes={have}-", "If-Range": begun.validator}
    with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
        _require_success(url, response, part)
        origin = _Origin.of(url, response)
        goes_on = (
            response.status_code == HTTPStatus.PARTIAL_CONTENT
            and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            and origin == begun
        )
        if not goes_on:
            _discard(part)
            if response.status_code == HTTPStatus.PARTIAL_CONTENT:
                raise _TransientError(f"{url} changed meanwhile")
            origin.keep(part)
        _write(response, part, have=have if goes_on else 0)


def _write(response: requests.Response, part: Path, *, have: int) -> None:
    length = response.headers.get("Content-Length")
    total = have + int(length) if length and length.isdigit() else None
    bar = tqdm(total=total, initial=have, unit="B", unit_scale=True, desc="fetching", disable=None)
    with part.open("ab") as stream, bar:
        # not iter_content: it would unpack the archive where a server calls gzip its content's encoding
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            stream.write(chunk)
            bar.update(len(chunk))


def _require_success(url: str, response: requests.Response, part: Path) -> None:
    status = response.status_code
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        _discard(part)
    if status in TRANSIENT_STATUS:
        raise _TransientError(f"{url} answers {status} {response.reason}")
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise DownloadError(f"{url} answers {status} {response.reason}")


def _check(url: str, part: Path, md5: str | None) -> None:
    require_gzip(part, name=f"what {url} serves")
    if md5 and (found := file_md5(part)) != md5:
        raise ChecksumError(f"{url} has the MD5 {found}, not the published {md5}: thrown away")


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.origin.json")


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)
    _note(path).unlink(missing_ok=True)


def _reason(error: BaseException) -> str:
    """The innermost cause in a word or two: requests wraps it several times."""
    while (inner := error.__cause__ or error.__context__ or getattr(error, "reason", None)) and isinstance(
        inner, BaseException
    ):
        error = inner
    return " ".join(str(error).split()) or type(error).__name__
