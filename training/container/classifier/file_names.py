"""The names of image files, which tell reviewed images of live traffic from images of the source."""

LIVE = "live-"  # only the file names of reviewed images of live traffic begin with this prefix


def is_live(name: str) -> bool:
    """Return whether the file name is that of a reviewed image of live traffic."""
    return name.startswith(LIVE)
