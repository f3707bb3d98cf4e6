"""One thread that computes: what is asked while it does is answered together, in its next batch."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from subgoal.agents.base import Ask
from subgoal.engines.base import Generated
from subgoal.evaluation.rollout import answers
from subgoal.serving.refusals import ClientLeft

_Waiting = tuple[Ask, "Future[Generated]"]


class Batcher:
    """Answers what the students of many episodes are asked; a context manager.

    Args:
        threads: Entered while it computes, as for a number of CPU threads.
        most: Largest number of answers in a batch.
        heard: Told the size of each batch.
    """

    def __init__(
        self,
        threads: Callable[[], AbstractContextManager[None]],
        most: int,
        heard: Callable[[int], Any] = lambda _: None,
    ) -> None:
        self._threads, self._most, self._heard = threads, most, heard
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="students", daemon=True)
        self._thread.start()

    def ask(self, ask: Ask, gone: Callable[[], bool]) -> Generated:
        """Answer what a student is asked; from any thread, which waits.

        Args:
            ask: What is asked.
            gone: Whether nobody waits for it any more; then it is not computed to its end.

        Raises:
            ClientLeft: Nobody waits for it any more.
            SubgoalError: The engine does not answer it.
        """
        future = Future[Generated]()
        self._queue.put((replace(ask, request=replace(ask.request, abandoned=gone)), future))
        answer = future.result()
        if gone():
            raise ClientLeft
        return answer

    def close(self) -> None:
        """End the thread, once it has answered what it was asked."""
        self._queue.put(None)
        self._thread.join()

    def __enter__(self) -> "Batcher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        with self._threads():
            while (batch := self._next()) is not None:
                self._answer([one for one in batch if self._wanted(one)])

    def _next(self) -> list[_Waiting] | None:
        """Wait for the first, and take what has come meanwhile; None: it is over."""
        batch = list[_Waiting]()
        while not batch or (len(batch) < self._most and not self._queue.empty()):
            one = self._queue.get()
            if one is None:
                if not batch:
                    return None
                self._queue.put(None)  # for the next time
                break
            batch.append(one)
        return batch

    @staticmethod
    def _wanted(waiting: _Waiting) -> bool:
        ask, future = waiting
        if ask.request.abandoned():
            future.set_exception(ClientLeft())
        return not future.done()

    def _answer(self, batch: list[_Waiting]) -> None:
        if not batch:
            return
        self._heard(len(batch))
        try:
            for future, answer in answers([(future, ask) for ask, future in batch]):
                future.set_result(answer)
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            left = [one for one in batch if not one[1].done()]
            if len(batch) == 1:
                left[0][1].set_exception(error)
                return
            for one in left:  # one by one, so that nobody suffers for another
                self._answer([one])
