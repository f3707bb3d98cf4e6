"""The teacher that is a language model behind an OpenAI-compatible endpoint.

It annotates many paths at a time: each is a conversation whose questions go out live, several at a
time, or as batches. Whatever happens, every path ends annotated or with the reason why not.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.base import Teacher
from subgoal.annotation.teachers.llm.batch import BatchDesk
from subgoal.annotation.teachers.llm.budget import BudgetReached
from subgoal.annotation.teachers.llm.config import Mode, OpenAIConfig
from subgoal.annotation.teachers.llm.conversation import Conversation
from subgoal.annotation.teachers.llm.endpoint import Endpoint, QuestionRefused
from subgoal.annotation.teachers.llm.ledger import Ledger, Reply, Request
from subgoal.annotation.teachers.llm.persistence import Persistence
from subgoal.annotation.teachers.llm.prompt import Prompt
from subgoal.annotation.teachers.llm.rate_limit import Pace
from subgoal.annotation.teachers.llm.sender import Chat, Requests
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.errors import AnnotationInvalid, SubgoalError, TeacherFailed
from subgoal.trajectories.trajectory import Trajectory

Outcome = tuple[Trajectory, AnnotatedTrajectory | SubgoalError]
"""A path, and its annotation or the reason why it has none."""


class OpenAITeacher(Teacher):
    """Annotates with a language model.

    Args:
        config: Which model, where, and how it is asked.
        ledger: Where every request is recorded; open.
        pace: Whose clock is waited by; None: the configuration's limits by the system's clock.

    Attributes:
        cached: How many questions the ledger answered.

    Raises:
        ConfigInvalid: The configuration names no model.
    """

    def __init__(self, config: OpenAIConfig, ledger: Ledger, pace: Pace | None = None) -> None:
        self._config, self._ledger, self._pace = config, ledger, pace
        self.name = config.model
        self.cached = 0
        self._requests = Requests(config)
        self._prompts: dict[str, Prompt] = {}

    @override
    def annotate(self, trajectory: Trajectory) -> AnnotatedTrajectory:
        [(_, outcome)] = self.annotate_many([trajectory])
        if isinstance(outcome, SubgoalError):
            raise outcome
        return outcome

    def annotate_many(
        self, trajectories: Sequence[Trajectory], again: Mapping[str, int] | None = None
    ) -> Iterator[Outcome]:
        """Annotate paths, several at a time, in the order in which they are done.

        Args:
            trajectories: The paths.
            again: How often a path was taken up after a failure, by its task's key.

        Raises:
            ConfigInvalid: The configuration names a wrong prompt file.
            TeacherFailed: The SDK or the API key is missing, or the endpoint answers nobody: a
                wrong key, no such model.
        """
        _check_no_loop()
        with asyncio.Runner() as runner:
            outcomes = self._outcomes(list(trajectories), again or {})

            async def another() -> Outcome | None:
                return await anext(outcomes, None)

            try:
                while (outcome := runner.run(another())) is not None:
                    yield outcome
            finally:
                runner.run(_closed(outcomes))

    def expected(self, trajectory: Trajectory) -> tuple[Request, Reply | None]:
        """Return the first request about a path, and the ledger's reply where it has one."""
        question = self._conversation(trajectory).questions[0]
        request = self._requests.of(trajectory.key, question)
        return request, self._ledger.find(request.key)

    async def _outcomes(
        self, paths: Sequence[Trajectory], again: Mapping[str, int]
    ) -> AsyncGenerator[Outcome]:
        endpoint = Endpoint(self._config)
        try:
            one_by_one = self._config.mode is Mode.LIVE
            travel = self._live if one_by_one else self._batched
            async for outcome in travel(endpoint, paths, again):
                yield outcome
        finally:
            await endpoint.close()

    async def _live(
        self, endpoint: Endpoint, paths: Sequence[Trajectory], again: Mapping[str, int]
    ) -> AsyncGenerator[Outcome]:
        chat = Chat(endpoint, self._requests, self._ledger, self._persistence())
        places = asyncio.Semaphore(self._config.endpoint.concurrency)

        async def converse(path: Trajectory) -> Outcome:
            async with places:
                conversation, task = self._conversation(path, again), path.key
                try:
                    while questions := conversation.questions:
                        for question in questions:
                            reply = await chat.ask(task, question)
                            conversation.answer(question, reply.text, reply.finish)
                except (BudgetReached, QuestionRefused) as error:
                    return path, error
                finally:
                    self.cached = chat.cached
                return self._outcome(conversation)

        tasks = [asyncio.create_task(converse(path)) for path in paths]
        try:
            for done in asyncio.as_completed(tasks):
                yield await done
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _batched(
        self, endpoint: Endpoint, paths: Sequence[Trajectory], again: Mapping[str, int]
    ) -> AsyncGenerator[Outcome]:
        desk = BatchDesk(endpoint, self._requests, self._ledger, self._persistence())
        talks = [self._conversation(path, again) for path in paths]
        while talks:
            asked = {
                (index, question.segment): self._requests.of(talk.trajectory.key, question)
                for index, talk in enumerate(talks)
                for question in talk.questions
            }
            self.cached += sum(self._ledger.find(one.key) is not None for one in asked.values())
            replies = await desk.ask_all(list(asked.values()))
            going: list[Conversation] = []
            for index, talk in enumerate(talks):
                refused = None
                for question in talk.questions:
                    reply = replies[asked[index, question.segment].key]
                    if isinstance(reply, Reply):
                        talk.answer(question, reply.text, reply.finish)
                    else:
                        refused = reply
                if refused is not None:
                    yield talk.trajectory, refused
                elif talk.questions:
                    going.append(talk)
                else:
                    yield self._outcome(talk)
            talks = going

    def _persistence(self) -> Persistence:
        limits = self._config.endpoint
        pace = self._pace or Pace(limits.requests_per_minute, limits.tokens_per_minute)
        return Persistence(limits, pace)

    def _conversation(
        self, path: Trajectory, again: Mapping[str, int] = MappingProxyType({})
    ) -> Conversation:
        config, world = self._config, path.task.environment
        if world not in self._prompts:
            examples = recorded_annotations(world) if config.examples else ()
            self._prompts[world] = Prompt(config.prompt, examples, config.examples)
        return Conversation(path, self._prompts[world], again=again.get(path.key, 0))

    def _outcome(self, conversation: Conversation) -> Outcome:
        try:
            return conversation.trajectory, conversation.annotation(self.name)
        except AnnotationInvalid as error:
            return conversation.trajectory, error


def _check_no_loop() -> None:
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise TeacherFailed(
            "the openai teacher runs an event loop of its own; where one runs already, as in a "
            "notebook, call it in a thread: await asyncio.to_thread(annotate, config, folder)"
        )


async def _closed(outcomes: AsyncGenerator[Outcome]) -> None:
    await outcomes.aclose()
