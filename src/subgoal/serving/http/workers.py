"""Threads that work for requests, and stop where a client has left."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from fastapi import Request

from subgoal.serving.refusals import ClientLeft, Refused

T = TypeVar("T")


class Workers:
    """Works for so many requests at once; others wait.

    Args:
        at_once: How many.
        waiting: How many may wait; the next is refused.

    Attributes:
        busy: How many are worked for, or wait.
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._most, self.busy = at_once + waiting, 0
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="request")

    async def work(self, request: Request, work: Callable[[Callable[[], bool]], T]) -> T:
        """Do some work for a request in a thread.

        Args:
            request: The request, its body read.
            work: The work; it is given a function that says whether the client has left.

        Raises:
            Refused: Too many wait already.
            ClientLeft: The client left before it was done; the work was told, and has ended.
        """
        if self.busy >= self._most:
            raise Refused(
                429,
                f"{self.busy} requests wait already; ask again",
                "server_busy",
                headers={"retry-after": "1"},
            )
        gone = threading.Event()
        self.busy += 1
        try:
            done = asyncio.get_running_loop().run_in_executor(self._pool, work, gone.is_set)
            leaving = asyncio.ensure_future(_left(request))
            await asyncio.wait({done, leaving}, return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if not done.done():
                gone.set()
                await asyncio.wait({done})
                done.exception()
                raise ClientLeft
            return done.result()
        finally:
            gone.set()
            self.busy -= 1

    def close(self) -> None:
        """Wait for what is under way."""
        self._pool.shutdown()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
