"""A Risk Service that the package starts by itself, and returns that are always the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aetherion import risk


@contextmanager
def local_service(folder: Path) -> Iterator[None]:
    """No setting and no .env names a service inside; what was started is gone outside."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if "AETHERION_" in name}
    with chdir(folder):
        risk.connect()
        yield
        risk.connect()
    os.environ.update(kept)


def sample_returns() -> NDArray[np.float64]:
    """Two years of three factors' daily returns."""
    mixed = np.array([[1.0, 0.5, 0.0], [0.0, 0.8, 0.3], [0.0, 0.0, 1.2]])
    draws = np.random.default_rng(7).standard_normal((500, 3))
    return np.asarray(draws @ mixed * 0.01)
