"""Runs the asynchronous part of a command; Ctrl-C and SIGTERM end it in good order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_until_done(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; all that `work` had open is closed by then.
    """

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None  # we are in it
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
