"""Render an execution as an HTML page without external resources, with the image and a drawing of the states."""

import io
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from markupsafe import Markup
from PIL import Image

from common.aws import error_code
from common.times import format_duration, format_utc
from evaluation.execution_details import ExecutionDetails, ImageLocation
from evaluation.execution_text import describe_cause, describe_map_run, facts, why_no_steps
from evaluation.pages import data_uri, load_template
from evaluation.payloads import format_block, format_line, parse_payload
from evaluation.state_machine_figure import draw_inline_svg, trace_steps
from training.container.classifier.images import MAX_BYTES, ImageError, read_image

TEMPLATE = "execution.html"
MAX_SIDE = 800  # maximum width and height of the image on the page in pixels
MAX_PNG_SIDE = 128  # images with at most this width and height in pixels are PNG, which stays sharp; others are JPEG
MAX_CAUSE = 8000  # maximum length of an error's cause in characters
PREVIEW_CHARACTERS = 120


def render(execution: ExecutionDetails, environment: str, *, threshold: float, written: datetime, s3: Any) -> str:
    """Return the HTML page of an execution.

    Parameters
    ----------
    s3 : S3 client that reads the image; if reading fails, the page shows the reason
    """
    template = load_template(
        TEMPLATE,
        block=format_block,
        preview=lambda value: format_line(value, PREVIEW_CHARACTERS),
        parse=parse_payload,
        cause=lambda text: describe_cause(text, MAX_CAUSE),
        duration=format_duration,
        clock=lambda time: format_utc(time, "%H:%M:%S.%f")[:-3],
        kind=_kinds(execution).get,
    )
    drawing = None
    if execution.definition and execution.steps:
        numbers = {step: number for number, step in (*execution.first_steps, *execution.last_steps)}
        trace = trace_steps(execution.steps, execution.definition, numbers)
        drawing = Markup(draw_inline_svg(execution.definition, trace, "The state machine; the list of states follows"))  # noqa: S704
    uri, problem = read_picture(execution.image, s3=s3) if execution.image else (None, None)
    return template.render(
        environment=environment,
        execution=execution,
        facts=[
            (title, text) for title, text in facts(execution, threshold=threshold) if title not in ("error", "cause")
        ],
        drawing=drawing,
        image_uri=uri,
        image_problem=problem,
        map_run=describe_map_run,
        no_history=why_no_steps(execution),
        written=f"{format_utc(written)} UTC",
    )


def _kinds(execution: ExecutionDetails) -> dict[str, str]:
    """Return the kind of each state by its name: the API action for a Task, or else the type of the state."""
    return {state.name: state.kind for state in execution.definition.all_states()} if execution.definition else {}


def read_picture(location: ImageLocation, *, s3: Any) -> tuple[str | None, str | None]:
    """Return an image as a data URI and None, or None and the reason why the page cannot show the image.

    The EXIF orientation is applied. A large image is scaled down to `MAX_SIDE` pixels, to limit the page's size.
    """
    version = {"VersionId": location.version} if location.version else {}
    try:
        response = s3.get_object(Bucket=location.bucket, Key=location.key, **version)
        if response["ContentLength"] > MAX_BYTES:
            return None, f"the image must have at most {MAX_BYTES:,} bytes (got {response['ContentLength']:,})"
        image = read_image(response["Body"].read())
    except ClientError as error:
        return None, f"S3 responded with {error_code(error)}"
    except (BotoCoreError, ImageError) as error:
        return None, str(error)
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return encode(image), None


def encode(image: Image.Image) -> str:
    """Return an image as a data URI."""
    kind = "png" if max(image.size) <= MAX_PNG_SIDE else "jpeg"
    with io.BytesIO() as stream:
        image.save(stream, format=kind, quality=85)
        return data_uri(stream.getvalue(), f"image/{kind}")
