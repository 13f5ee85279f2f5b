"""Function code that was replaced outside Terraform is found and restored."""

# ruff: noqa: N803  boto3's parameter names

from pathlib import Path
from typing import Any

import pytest

from deployment.function_code import FunctionCode, sha256

FUNCTION = "scones-dev-filter"
BUILT, DEPLOYED, FOREIGN = b"built", b"deployed", b"foreign"


class FakeLambda:
    """A Lambda client with one function.

    Parameters
    ----------
    code : zip archive of the function's code, or None if the function does not exist
    """

    class exceptions:  # noqa: N801 (boto3's name)
        class ResourceNotFoundException(Exception):  # noqa: N818
            pass

    def __init__(self, code: bytes | None) -> None:
        self.code = code
        self.waited = False

    def get_function(self, *, FunctionName: str) -> dict[str, Any]:
        if self.code is None:
            raise self.exceptions.ResourceNotFoundException
        return {"Configuration": {"CodeSha256": sha256(self.code)}}

    def update_function_code(self, *, FunctionName: str, ZipFile: bytes) -> None:
        assert FunctionName == FUNCTION
        self.code = ZipFile

    def get_waiter(self, _: str) -> "FakeLambda":
        return self

    def wait(self, *, FunctionName: str) -> None:
        self.waited = True


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """A directory with the zip archive that was built from the source."""
    (tmp_path / "filter.zip").write_bytes(BUILT)
    return tmp_path


def make_code(awslambda: FakeLambda, archives: Path) -> FunctionCode:
    """Return the `FunctionCode` of an environment in which DEPLOYED was deployed."""
    return FunctionCode("dev", {FUNCTION: sha256(DEPLOYED)}, awslambda=awslambda, archives=archives)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        pytest.param(DEPLOYED, [], id="as deployed; the built code is newer"),
        pytest.param(BUILT, [], id="as built"),
        pytest.param(FOREIGN, [FUNCTION], id="other code, deployed outside Terraform"),
        pytest.param(None, [], id="deleted"),
    ],
)
def test_function_whose_code_is_neither_deployed_by_terraform_nor_built_is_reported(
    archives: Path, live: bytes | None, expected: list[str]
) -> None:
    assert make_code(FakeLambda(live), archives).replaced() == expected


def test_restore_deploys_the_built_code(archives: Path) -> None:
    # GIVEN
    awslambda = FakeLambda(FOREIGN)
    code = make_code(awslambda, archives)

    # WHEN
    code.restore(FUNCTION)

    # THEN
    assert awslambda.code == BUILT
    assert awslambda.waited
    assert code.replaced() == []


def test_sha256_has_the_format_of_lambdas_code_sha256() -> None:
    # https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html: base64 of the SHA-256, here of an empty file
    assert sha256(b"") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
