"""Load the templates of HTML pages, which use no external resources."""

import base64
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

DIRECTORY = Path(__file__).parent


def load_templates(**filters: Callable[..., str]) -> Environment:
    """Return the templates of this package, which escape the values that they insert into HTML."""
    environment = Environment(
        loader=FileSystemLoader(DIRECTORY),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment


def load_template(name: str, **filters: Callable[..., str]) -> Template:
    """Return one template."""
    return load_templates(**filters).get_template(name)


def data_uri(content: bytes, media_type: str) -> str:
    """Return a file as a data URI."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
