"""What all tests share."""

from hypothesis import settings

# The same examples on every run, and as much time for each as a busy machine needs.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")
