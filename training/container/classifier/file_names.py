"""Distinguish reviewed images of live traffic from images of the original data set by their file names."""

LIVE = "live-"  # only the file names of reviewed images of live traffic begin with this prefix


def is_live(name: str) -> bool:
    """Return whether a file name belongs to a reviewed image of live traffic."""
    return name.startswith(LIVE)
