"""A language model that agents ask while they play: through the teacher's ledger and budget."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Self, TypeVar

from subgoal.annotation.teachers.llm.budget import BudgetReached
from subgoal.annotation.teachers.llm.config import FORM, OMIT, Mode, OpenAIConfig
from subgoal.annotation.teachers.llm.conversation import Question
from subgoal.annotation.teachers.llm.endpoint import Endpoint, QuestionRefused
from subgoal.annotation.teachers.llm.ledger import PLAYED, Ledger, Reply, default_path
from subgoal.annotation.teachers.llm.persistence import Persistence
from subgoal.annotation.teachers.llm.prompt import Messages
from subgoal.annotation.teachers.llm.rate_limit import Pace
from subgoal.annotation.teachers.llm.sender import Chat, Requests
from subgoal.errors import ExpertFailed, TeacherFailed
from subgoal.plain_text import storable
from subgoal.storage.run_folder import RunFolder

R = TypeVar("R")


def question(messages: Messages) -> Question:
    """Return the question of one turn."""
    return Question((1, 1), messages)


def spoken_to(config: OpenAIConfig) -> OpenAIConfig:
    """Return how a model is asked for a turn: one question at a time, in words.

    Args:
        config: How it is asked as a teacher.
    """
    parameters = {**config.parameters, FORM: OMIT}
    return config.model_copy(update={"mode": Mode.LIVE, "parameters": parameters})


def model_of(config: OpenAIConfig, folder: RunFolder) -> "PaidModel":
    """Open the model that agents ask in a run; its budget is that of the run's teacher.

    Args:
        config: Which model, and how it is asked.
        folder: The run folder.

    Raises:
        ConfigInvalid, TeacherFailed: It cannot be asked; see `PaidModel`.
    """
    return PaidModel(config, storable(str(folder.path.resolve())))


class PaidModel:
    """A model behind an endpoint, asked from any thread; a context manager.

    A question that was answered before, in any run, is answered from the ledger.

    Args:
        config: Which model, where, its prices and its budget.
        run: Identity of the run that the budget is counted for.

    Raises:
        ConfigInvalid: The configuration names no model, or a budget without a price.
        TeacherFailed: The SDK or the API key is missing, or the ledger cannot be opened.
    """

    def __init__(self, config: OpenAIConfig, run: str) -> None:
        self._config, self._run = spoken_to(config), run
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._serve, name="model", daemon=True).start()
        try:
            self._wait(self._open())
        except BaseException:
            self._loop.call_soon_threadsafe(self._loop.stop)
            raise

    def ask(self, task: str, messages: Messages) -> Reply:
        """Return the reply to a question of an episode.

        Args:
            task: Key of the task that is played.
            messages: The question.

        Raises:
            ExpertFailed: The endpoint does not answer it; the episode is lost.
            TeacherFailed: The endpoint answers nobody, or the budget is used up.
        """
        try:
            return self._wait(self._asked(task, messages))
        except BudgetReached as error:
            raise TeacherFailed(
                f"{error}; what was done is kept: raise annotate.openai.budget, and the same "
                "command goes on"
            ) from error
        except QuestionRefused as error:
            raise ExpertFailed(f"{self._config.model}: {error}") from error
        except (CancelledError, RuntimeError) as error:  # the model is closed
            raise TeacherFailed("the model is no longer asked") from error

    def close(self) -> None:
        """End what is under way, and close the ledger."""
        with suppress(CancelledError, RuntimeError):
            self._wait(self._closed())
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _wait(self, work: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _serve(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _open(self) -> None:
        requests, limits = Requests(self._config), self._config.endpoint
        self._places = asyncio.Semaphore(limits.concurrency)
        self._endpoint = Endpoint(self._config)
        self._ledger = Ledger(self._config.ledger or default_path(), self._run)
        pace = Pace(limits.requests_per_minute, limits.tokens_per_minute)
        self._chat = Chat(self._endpoint, requests, self._ledger, Persistence(limits, pace))

    async def _asked(self, task: str, messages: Messages) -> Reply:
        async with self._places:
            return await self._chat.ask(f"{PLAYED}{task}", question(messages))

    async def _closed(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._endpoint.close()
        self._ledger.close()
