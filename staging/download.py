"""Download a file over HTTP: streamed, resumed, retried, verified, and renamed only when complete."""

import contextlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path

import requests
import urllib3

from common.terminal import progress_bar
from staging.checksum import file_md5
from staging.errors import StagingError

CONNECT_SECONDS, READ_SECONDS = 5, 30
PAUSES = (1.0, 2.0, 4.0, 8.0)  # seconds before each retry
CHUNK = 1 << 18  # bytes
TRANSIENT_STATUS = {408, 416, 425, 429, 500, 502, 503, 504}
GZIP_MAGIC = b"\x1f\x8b"


class DownloadError(StagingError):
    """The download failed, or the downloaded file is not the expected file."""


class _TransientError(Exception):
    """The download failed, but a retry may succeed."""


TRANSIENT = (requests.ConnectionError, requests.Timeout, urllib3.exceptions.HTTPError, _TransientError)


@dataclass(frozen=True)
class _Origin:
    """The URL and the version of a downloaded file.

    Both are stored next to the file, so an interrupted download is resumed only if the server has the same version.

    Attributes
    ----------
    url : the URL from which the file was downloaded
    validator : the version: a strong ETag, or the Last-Modified time; empty if the server sends neither
    """

    url: str
    validator: str

    @classmethod
    def from_response(cls, url: str, response: requests.Response) -> "_Origin":
        etag = response.headers.get("ETag", "")
        is_weak = not etag or etag.startswith("W/")
        return cls(url, response.headers.get("Last-Modified", "") if is_weak else etag)

    @classmethod
    def load(cls, path: Path) -> "_Origin | None":
        # a missing or truncated file means that the download starts over
        with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
            return cls(**json.loads(_origin_path(path).read_text()))
        return None

    def save(self, path: Path) -> None:
        _origin_path(path).write_text(json.dumps(asdict(self)))


def download(url: str, path: Path, *, md5: str | None = None) -> Path:
    """Download `url` to `path`; continue the file `<path>.part` of an interrupted download.

    Parameters
    ----------
    md5 : published MD5 checksum, in hexadecimal; None if it is unknown. If the file at `path` has this checksum, it is
        not downloaded again

    Raises
    ------
    DownloadError
        All attempts failed, the checksum differs, or the content is not gzip. If the content is wrong and `md5` is
        given, an older file at `path` is deleted too.
    """
    part = path.with_name(f"{path.name}.part")
    if path.is_file() and _is_current(url, path, md5):
        return path
    _fetch_with_retries(url, part)
    try:
        _verify(url, part, md5)
    except StagingError:
        _delete(part)
        if md5:
            _delete(path)
        raise
    delete_origin(path)  # before the new content, so that a killed process leaves no wrong origin
    part.replace(path)
    _origin_path(part).replace(_origin_path(path))
    return path


def delete_origin(path: Path) -> None:
    """Delete the record of the URL from which `path` was downloaded. Call this before `path` gets other content."""
    _origin_path(path).unlink(missing_ok=True)


def require_gzip(path: Path, *, name: str) -> None:
    """Raise `DownloadError` unless the file starts with gzip's magic number."""
    with path.open("rb") as stream:
        if stream.read(len(GZIP_MAGIC)) != GZIP_MAGIC:
            raise DownloadError(f"{name} is not a .tar.gz archive")


def _is_current(url: str, path: Path, md5: str | None) -> bool:
    """Return whether the file at `path` is the one that `url` serves."""
    if md5:
        return file_md5(path) == md5
    origin = _Origin.load(path)
    if not origin or origin.url != url or not origin.validator:
        return False
    try:
        response = requests.head(url, allow_redirects=True, timeout=(CONNECT_SECONDS, READ_SECONDS))
    except requests.RequestException:
        return False  # the download, which follows, reports the error
    return response.ok and _Origin.from_response(url, response) == origin


def _fetch_with_retries(url: str, part: Path) -> None:
    for pause in (*PAUSES, None):
        try:
            return _fetch(url, part)
        except TRANSIENT as error:
            reason = _root_cause(error)
            if pause is None:
                raise DownloadError(f"cannot download {url}: {reason}; run the command again to resume") from error
            print(f"{reason}: retrying in {pause:g} s", file=sys.stderr)
            time.sleep(pause)
        except requests.RequestException as error:
            raise DownloadError(f"cannot download {url}: {_root_cause(error)}") from error
    return None


def _fetch(url: str, part: Path) -> None:
    previous = _Origin.load(part)
    received = part.stat().st_size if previous and previous.url == url and previous.validator and part.is_file() else 0
    headers = {"Accept-Encoding": "identity"}
    if previous and received:
        headers |= {"Range": f"bytes={received}-", "If-Range": previous.validator}
    with requests.get(url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)) as response:
        _require_success(url, response, part)
        origin = _Origin.from_response(url, response)
        resumes = (
            response.status_code == HTTPStatus.PARTIAL_CONTENT
            and response.headers.get("Content-Range", "").startswith(f"bytes {received}-")
            and origin == previous
        )
        if not resumes:
            _delete(part)
            if response.status_code == HTTPStatus.PARTIAL_CONTENT:
                raise _TransientError(f"{url} changed during the download")
            origin.save(part)
        _write(response, part, received=received if resumes else 0)


def _write(response: requests.Response, part: Path, *, received: int) -> None:
    length = response.headers.get("Content-Length")
    total = received + int(length) if length and length.isdigit() else None
    bar = progress_bar(total=total, initial=received, unit="B", unit_scale=True, desc="downloading")
    with part.open("ab") as stream, bar:
        # iter_content would decompress the archive if the server declares gzip as its content encoding
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            stream.write(chunk)
            bar.update(len(chunk))


def _require_success(url: str, response: requests.Response, part: Path) -> None:
    status = response.status_code
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        _delete(part)
    if status in TRANSIENT_STATUS:
        raise _TransientError(f"{url} returned {status} {response.reason}")
    if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise DownloadError(f"{url} returned {status} {response.reason}")


def _verify(url: str, part: Path, md5: str | None) -> None:
    require_gzip(part, name=f"the content of {url}")
    if md5 and (actual := file_md5(part)) != md5:
        raise DownloadError(f"{url} has MD5 {actual}, but the published MD5 is {md5}: the download was deleted")


def _origin_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.origin.json")


def _delete(path: Path) -> None:
    path.unlink(missing_ok=True)
    delete_origin(path)


def _root_cause(error: BaseException) -> str:
    """Return the message of an error's innermost cause, because requests wraps the cause several times."""
    while (inner := error.__cause__ or error.__context__ or getattr(error, "reason", None)) and isinstance(
        inner, BaseException
    ):
        error = inner
    return " ".join(str(error).split()) or type(error).__name__
