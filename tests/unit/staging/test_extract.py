"""Downloading and copying the archive.

Downloads are resumed, retried and verified. An incomplete file never has the final name.
"""

import errno
import gzip
import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from staging import download, extract
from staging.download import DownloadError
from staging.errors import StagingError
from staging.extract import extract_cifar_data
from tests.unit.staging.fakes import Site, serve

CONTENT = gzip.compress(random.Random(0).randbytes(700_000), mtime=0)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
CHANGED_CONTENT = gzip.compress(random.Random(1).randbytes(700_000), mtime=0)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait between attempts, and do not use a proxy."""
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def start_server() -> Iterator[Callable[..., Site]]:
    """A function that starts a web server with the archive CONTENT; its arguments are attributes of Site."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serve(Site(**{"content": CONTENT, **settings})))


def file_names(folder: Path) -> set[str]:
    """Return the names of the files in a folder."""
    return {path.name for path in folder.iterdir()}


def test_file_is_downloaded_into_a_new_folder(start_server: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN
    target = tmp_path / "new" / "folder" / "cifar.tar.gz"

    # WHEN
    path = extract_cifar_data(start_server().url, str(target))

    # THEN
    assert path == target
    assert path.read_bytes() == CONTENT


def test_default_file_name_is_cifar_tar_gz(
    start_server: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert extract_cifar_data(start_server().url) == Path("cifar.tar.gz")
    assert Path("cifar.tar.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("failures", [["503"], ["429", "500"], ["cut"], ["cut", "502", "cut"]], ids=str)
def test_transient_errors_are_retried(start_server: Callable[..., Site], tmp_path: Path, failures: list[str]) -> None:
    # GIVEN
    server = start_server(failures=list(failures))

    # WHEN
    path = extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))

    # THEN
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == len(failures) + 1


def test_interrupted_download_is_resumed(start_server: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN a download that received half of the file, and then failed
    server = start_server(failures=["cut", "503", "503", "503"])
    target = tmp_path / "a.tar.gz"
    with pytest.raises(DownloadError, match="503"):
        extract_cifar_data(server.url, str(target))
    assert not target.exists()

    # WHEN
    extract_cifar_data(server.url, str(target))

    # THEN
    assert target.read_bytes() == CONTENT
    assert server.requests[-1] == ("GET", f"bytes={len(CONTENT) // 2}-")
    assert not (tmp_path / "a.tar.gz.part").exists()


@pytest.mark.parametrize("ranges", [True, False], ids=["by-range", "server-without-ranges"])
def test_file_that_changed_after_an_interruption_is_downloaded_from_the_start(
    start_server: Callable[..., Site], tmp_path: Path, ranges: bool
) -> None:
    # GIVEN half of a file, which changes on the server after the interruption
    server = start_server(failures=["cut", "503", "503", "503"], ranges=ranges)
    target = tmp_path / "a.tar.gz"
    with pytest.raises(DownloadError):
        extract_cifar_data(server.url, str(target))
    server.content, server.etag = CHANGED_CONTENT, '"two"'

    # WHEN
    extract_cifar_data(server.url, str(target))

    # THEN the result has only bytes of the changed file
    assert target.read_bytes() == CHANGED_CONTENT


@pytest.mark.parametrize("etag", [None, 'W/"weak"'], ids=["no-etag", "weak-etag"])
def test_download_without_a_strong_etag_is_not_resumed(
    start_server: Callable[..., Site], tmp_path: Path, etag: str | None
) -> None:
    # GIVEN a server whose first response ends in the middle of the file
    server = start_server(failures=["cut"], etag=etag)

    # WHEN
    path = extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))

    # THEN both requests are for the whole file
    assert path.read_bytes() == CONTENT
    assert server.requests == [("GET", None), ("GET", None)]


def test_complete_part_file_is_renamed(start_server: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN a download that was killed after the last byte, before the file was renamed
    server = start_server()
    target = extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))
    target.rename(tmp_path / "a.tar.gz.part")
    (tmp_path / "a.tar.gz.origin.json").rename(tmp_path / "a.tar.gz.part.origin.json")

    # WHEN
    extract_cifar_data(server.url, str(target))

    # THEN
    assert target.read_bytes() == CONTENT


def test_existing_file_is_downloaded_again_only_if_it_changed_on_the_server(
    start_server: Callable[..., Site], tmp_path: Path
) -> None:
    # GIVEN a downloaded file
    server = start_server()
    target = str(tmp_path / "a.tar.gz")
    extract_cifar_data(server.url, target)

    # WHEN
    extract_cifar_data(server.url, target)

    # THEN the second call sends only a HEAD request
    assert [method for method, _ in server.requests] == ["GET", "HEAD"]

    # WHEN the file changes on the server
    server.content, server.etag = CHANGED_CONTENT, '"two"'
    path = extract_cifar_data(server.url, target)

    # THEN
    assert path.read_bytes() == CHANGED_CONTENT


def test_existing_file_with_the_known_checksum_needs_no_request(
    start_server: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN
    server = start_server()
    monkeypatch.setitem(extract.CHECKSUMS, server.url, MD5)
    target = tmp_path / "a.tar.gz"
    target.write_bytes(CONTENT)

    # WHEN
    extract_cifar_data(server.url, str(target))

    # THEN
    assert server.requests == []


@pytest.mark.parametrize("before", [None, b"something older"], ids=["no existing file", "existing file"])
def test_downloaded_file_with_a_wrong_checksum_is_deleted(
    start_server: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    # GIVEN
    server = start_server()
    monkeypatch.setitem(extract.CHECKSUMS, server.url, "0" * 32)
    target = tmp_path / "a.tar.gz"
    if before:
        target.write_bytes(before)

    # WHEN
    with pytest.raises(DownloadError, match=f"has MD5 {MD5}, but the published MD5 is {'0' * 32}"):
        extract_cifar_data(server.url, str(target))

    # THEN
    assert file_names(tmp_path) == set()


def test_checksum_of_the_official_archive_is_known() -> None:
    assert extract.CHECKSUMS[extract.OFFICIAL_URL] == "eb9058c3a382ffc7106e4002c42a8d85"


def test_html_page_instead_of_the_archive_is_rejected(start_server: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN a captive portal that returns its login page
    server = start_server(content=b"<html>please log in</html>")

    # WHEN
    with pytest.raises(DownloadError, match=r"is not a \.tar\.gz archive"):
        extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))

    # THEN
    assert file_names(tmp_path) == set()


def test_permanent_errors_are_not_retried(start_server: Callable[..., Site], tmp_path: Path) -> None:
    # GIVEN
    server = start_server(failures=["404"])

    # WHEN
    with pytest.raises(DownloadError, match="404"):
        extract_cifar_data(server.url, str(tmp_path / "a.tar.gz"))

    # THEN
    assert len(server.requests) == 1


def test_error_for_a_refused_connection_has_one_line(tmp_path: Path) -> None:
    # GIVEN the URL of a server that has stopped
    with serve(Site(CONTENT)) as stopped:
        url = stopped.url

    # WHEN
    with pytest.raises(DownloadError) as caught:
        extract_cifar_data(url, str(tmp_path / "a.tar.gz"))

    # THEN
    assert "refused" in str(caught.value).lower()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("as_url", [False, True], ids=["path", "file-url"])
def test_local_file_is_copied(tmp_path: Path, as_url: bool) -> None:
    # GIVEN
    source = tmp_path / "my archive.tar.gz"
    source.write_bytes(CONTENT)

    # WHEN
    path = extract_cifar_data(source.as_uri() if as_url else str(source), str(tmp_path / "copy.tar.gz"))

    # THEN
    assert path.read_bytes() == CONTENT
    assert file_names(tmp_path) == {"my archive.tar.gz", "copy.tar.gz"}


def test_copying_a_file_to_its_own_path_keeps_the_file(tmp_path: Path) -> None:
    source = tmp_path / "a.tar.gz"
    source.write_bytes(CONTENT)
    assert extract_cifar_data(str(source), str(source)).read_bytes() == CONTENT


def test_url_is_downloaded_again_after_a_local_file_was_copied_to_the_same_path(
    start_server: Callable[..., Site], tmp_path: Path
) -> None:
    # GIVEN a downloaded file that was replaced with a local file
    server = start_server()
    target = str(tmp_path / "a.tar.gz")
    extract_cifar_data(server.url, target)
    local = tmp_path / "mine.tar.gz"
    local.write_bytes(CHANGED_CONTENT)
    assert extract_cifar_data(str(local), target).read_bytes() == CHANGED_CONTENT

    # WHEN
    path = extract_cifar_data(server.url, target)

    # THEN
    assert path.read_bytes() == CONTENT


def test_download_does_not_continue_an_interrupted_copy(
    start_server: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an interrupted download, and then a copy to the same path that fails in the middle
    server = start_server(failures=["cut", "503", "503", "503"])
    target = str(tmp_path / "a.tar.gz")
    with pytest.raises(DownloadError):
        extract_cifar_data(server.url, target)
    local = tmp_path / "mine.tar.gz"
    local.write_bytes(CHANGED_CONTENT)

    def copy_half(source: Path, part: Path) -> None:
        part.write_bytes(source.read_bytes()[: len(CHANGED_CONTENT) // 2])
        raise OSError("No space left on device")

    monkeypatch.setattr("shutil.copyfile", copy_half)
    with pytest.raises(StagingError, match="No space left"):
        extract_cifar_data(str(local), target)

    # WHEN
    path = extract_cifar_data(server.url, target)

    # THEN
    assert path.read_bytes() == CONTENT


def test_download_that_was_killed_before_its_end_is_not_mistaken_for_an_earlier_one(
    start_server: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a file that was downloaded from one URL, and a download from another URL that was killed at its last step
    first, second = start_server(), start_server(content=CHANGED_CONTENT, etag='"two"')
    target = str(tmp_path / "a.tar.gz")
    extract_cifar_data(first.url, target)
    replace = Path.replace

    def be_killed(self: Path, other: Path) -> Path:
        if self.name.endswith(".origin.json"):
            raise KeyboardInterrupt
        return replace(self, other)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", be_killed)
        with pytest.raises(KeyboardInterrupt):
            extract_cifar_data(second.url, target)

    # WHEN
    path = extract_cifar_data(first.url, target)

    # THEN
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("method", ["stat", "open"], ids=["directory", "file"])
def test_local_file_without_read_permission_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    # GIVEN a file that may not be read, or whose directory may not be searched
    source = tmp_path / "mine.tar.gz"
    source.write_bytes(CONTENT)

    def refuse(self: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    # WHEN / THEN
    with monkeypatch.context() as patched:
        patched.setattr(Path, method, refuse)
        with pytest.raises(StagingError, match=r"mine\.tar\.gz cannot be read: Permission denied$"):
            extract_cifar_data(str(source), str(tmp_path / "copy.tar.gz"))


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("none.tar.gz", "'none.tar.gz' is not a file$"),
        (".", "'.' is not a file"),
        ("", "'' is not a file"),
        ("sample", "'sample' is not a file$"),
        ("it's", "is not a file"),
        ("~nobody-of-this-name/a.tar.gz", "is not a file"),
        ("http://[", "is not a file"),
        ("x" * 5000, "is not a file"),
        ("file:///nowhere/none.tar.gz", "'file:///nowhere/none.tar.gz' is not a file"),
        ("s3://bucket/none.tar.gz", r"must begin with https, http or file \(got s3://bucket"),
        ("ftp://host/none.tar.gz", r"must begin with https, http or file \(got ftp://host"),
        ("text.txt", "text.txt is not a .tar.gz archive"),
    ],
)
def test_address_without_an_archive_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, message: str
) -> None:
    # GIVEN
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("text")

    # WHEN
    with pytest.raises(StagingError, match=message):
        extract_cifar_data(address, "copy.tar.gz")

    # THEN
    assert file_names(tmp_path) == {"text.txt"}


def test_error_says_that_the_target_path_cannot_be_written(tmp_path: Path) -> None:
    # GIVEN a target path whose parent is a file
    (tmp_path / "file").write_bytes(CONTENT)

    # WHEN / THEN
    with pytest.raises(StagingError, match="cannot be written"):
        extract_cifar_data(str(tmp_path / "file"), str(tmp_path / "file" / "a.tar.gz"))
