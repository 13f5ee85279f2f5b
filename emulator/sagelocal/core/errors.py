"""The error that the command line prints as one line."""


class SagelocalError(Exception):
    """The emulator cannot do what the user asked for; the message says why and what to do."""
