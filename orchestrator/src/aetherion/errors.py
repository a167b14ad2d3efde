"""The one base of everything that Aetherion raises."""


class AetherionError(Exception):
    """Something went wrong that one line explains: what, where, and what to do.

    The command line prints that line and exits non-zero; it never shows a traceback.
    """
