"""Runs the asynchronous part of a command; Ctrl-C and SIGTERM end it in good order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")

# So long a strategy's handler may take to return after Ctrl-C before it is interrupted inside.
_GRACE_S = 1.0


def run_until_done(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end.

    Raises:
        KeyboardInterrupt: Ctrl-C or SIGTERM; all that `work` had open is closed by then. Says where
            the code was that did not return by itself, if there was some.
    """

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None  # we are in it
        with _interruptible(asyncio.get_running_loop(), task):
            return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@contextmanager
def _interruptible(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> Iterator[None]:
    """Cancel `task` on a signal; when the loop is too busy to do so, raise where it is busy."""

    raised = False

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not raised:  # else the task is on its way out already
            task.cancel()

    def stop(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(cancel)
        signal.setitimer(signal.ITIMER_REAL, _GRACE_S)

    def give_up(_number: int, frame: FrameType | None) -> NoReturn:
        nonlocal raised
        raised = True
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown place"
        raise KeyboardInterrupt(f"{where} did not return")

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGALRM: give_up}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
