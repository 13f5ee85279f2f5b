"""The output archive of a training job, for tests."""

import io
import tarfile
from collections.abc import Mapping


def make_output(files: Mapping[str, bytes]) -> bytes:
    """Return the bytes of an output.tar.gz.

    Parameters
    ----------
    files : content of each file, by name
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()
