"""The model that was in use before is found, loaded, and classifies images."""

import io
import json
import tarfile
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from evaluation.live.previous_model import PreviousModelError, find_previous, load_previous_model
from registry.model_registry import Version
from registry.trained_classes import ClassesDifferError
from staging.manifest import digest_classes
from tests.unit.evaluation.runs import make_png
from tests.unit.registry.versions import make_version
from tests.unit.staging.fakes import FakeS3

CLASSES = ("dark", "bright")
KEY = "models/job/model.tar.gz"


class FakeRegistry:
    """A model registry.

    Parameters
    ----------
    versions : all registered versions
    used : versions that were in use, the latest first
    """

    def __init__(self, versions: list[Version], used: list[Version]) -> None:
        self._versions, self._used = versions, used

    def versions(self) -> list[Version]:
        return self._versions

    def arn_in_use(self) -> str | None:
        return self._used[0].arn if self._used else None

    def previous_arns(self) -> list[str]:
        return [version.arn for version in self._used[1:]]


def make_registry(count: int, used: list[int], **changes: Any) -> Any:
    """Return a registry with versions 1 to `count`.

    Parameters
    ----------
    used : numbers of the versions that were in use, the latest first
    changes : properties of all versions, which replace the default values
    """
    properties = {"classes_md5": digest_classes(CLASSES), "classes": "dark bright", **changes}
    versions = {
        number: make_version(number, properties=properties, model_data_url=f"s3://b/{KEY}")
        for number in range(1, count + 1)
    }
    return FakeRegistry(list(versions.values()), [versions[number] for number in used])


def brightness_model() -> bytes:
    """Return an ONNX model whose probability of the second class is the image's brightness."""
    nodes = [
        helper.make_node("Cast", ["images"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Div", ["mean", "scale"], ["bright"]),
        helper.make_node("Sub", ["one", "bright"], ["dark"]),
        helper.make_node("Unsqueeze", ["dark", "axis"], ["first"]),
        helper.make_node("Unsqueeze", ["bright", "axis"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["probabilities"], axis=1),
    ]
    constants = [
        helper.make_tensor("scale", TensorProto.FLOAT, [], [255.0]),
        helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor("axis", TensorProto.INT64, [1], [1]),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 32, 32, 3])
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 2])
    graph = helper.make_graph(nodes, "brightness", [images], [probabilities], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    onnx.checker.check_model(model)
    return content


def make_archive(**files: bytes) -> bytes:
    """Return a `tar.gz` archive of files by name; an underscore in an argument's name stands for a dot."""
    with io.BytesIO() as stream:
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name.replace("_", "."))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return stream.getvalue()


def make_bucket(archive: bytes) -> FakeS3:
    """Return a bucket with the model archive that all registered versions use."""
    s3 = FakeS3()
    s3.put_object(Bucket="b", Key=KEY, Body=archive)
    return s3


def make_grey_image(brightness: int) -> bytes:
    """Return a PNG file whose pixels have one grey value."""
    with io.BytesIO() as stream:
        Image.new("RGBA", (50, 40), (brightness,) * 3).save(stream, format="PNG")
        return stream.getvalue()


def test_the_previous_model_classifies_valid_images_and_returns_none_for_others() -> None:
    # GIVEN
    description = json.dumps({"input": {"size": 32}}).encode()
    s3 = make_bucket(make_archive(model_onnx=brightness_model(), model_json=description, code_py=b"raise SystemExit"))

    # WHEN
    previous = load_previous_model(make_registry(2, [2, 1]), "v2", CLASSES, s3=s3)

    # THEN
    assert previous.name == "v1"
    assert previous.classify([make_grey_image(250), None, b"not an image", make_grey_image(3)]) == [1, None, None, 0]
    assert previous.classify([None]) == [None]
    assert len(previous.classify([make_png()])) == 1


@pytest.mark.parametrize(
    ("used", "model", "expected"),
    [
        pytest.param([3, 1], "v3", "v1", id="the version before the version in use"),
        pytest.param([3, 2, 1], "2", "v1", id="the version before an earlier version"),
        pytest.param([1, 3, 1, 2], "v1", "v3", id="after a rollback"),
    ],
)
def test_the_previous_model_is_the_version_that_was_in_use_before(used: list[int], model: str, expected: str) -> None:
    assert find_previous(make_registry(3, used), model).name == expected


@pytest.mark.parametrize("used", [[], [2]], ids=["no version", "only v2"])
def test_missing_previous_model_is_an_error(used: list[int]) -> None:
    with pytest.raises(PreviousModelError, match="no model was in use before v2"):
        find_previous(make_registry(2, used), "v2")


def test_a_previous_model_that_was_trained_on_other_classes_is_an_error() -> None:
    registry = make_registry(2, [2, 1], classes_md5="other", classes="bus tram")
    with pytest.raises(ClassesDifferError, match="trained on the classes bus, tram, but v2 has dark, bright"):
        load_previous_model(registry, "v2", CLASSES, s3=FakeS3())


@pytest.mark.parametrize(
    ("archive", "reason"),
    [
        pytest.param(None, "does not exist", id="missing"),
        pytest.param(b"not an archive", "cannot be unpacked", id="damaged"),
        pytest.param(make_archive(other_txt=b""), "has no model.onnx", id="built-in algorithm"),
        pytest.param(
            make_archive(model_onnx=b"?", model_json=b'{"input": {"size": 8}}'), "be loaded", id="invalid model"
        ),
        pytest.param(make_archive(model_onnx=b"?", model_json=b"?"), "be loaded", id="invalid description"),
        pytest.param(make_archive(model_onnx=b"")[:-12], "cannot be unpacked|has no model.json", id="truncated"),
    ],
)
def test_error_says_why_a_model_cannot_be_loaded(archive: bytes | None, reason: str) -> None:
    s3 = FakeS3() if archive is None else make_bucket(archive)
    with pytest.raises(PreviousModelError, match=reason):
        load_previous_model(make_registry(2, [2, 1]), "v2", CLASSES, s3=s3)
