"""The LLM that was there before, asked for the turns that the student is not certain of.

Each request stands in the ledger before it is sent, and its reply before it is used; what was
answered once is not paid for again. Where the LLM does not answer, or the budget is used up, the
student's own turn stands.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import TimeoutError as NotYet
from importlib import import_module
from typing import Any, NamedTuple, TypeVar

from subgoal.annotation.teachers.llm.cost import estimate, money
from subgoal.annotation.teachers.llm.ledger import (
    PLAYED,
    AttemptState,
    Expected,
    Ledger,
    Reply,
    Request,
    default_path,
)
from subgoal.connections.http_client import MOST_BYTES, open_client, raw_reply, read_json
from subgoal.connections.server_access import Access
from subgoal.errors import ConfigInvalid, TeacherFailed, install, said_by
from subgoal.serving.config import AskConfig
from subgoal.serving.http.journal import LOGGER
from subgoal.serving.records import ChatRequest
from subgoal.serving.refusals import ClientLeft
from subgoal.storage.digests import digest_of
from subgoal.trajectories.logs.conversation import Message
from subgoal.trajectories.logs.formats.openai_messages import message

T = TypeVar("T")

_OURS = {"model", "stream", "stream_options", "n"}
_LOOK = 0.1
"""Seconds between two looks at whether the client has left."""


class AskedReply(NamedTuple):
    """What the LLM answered."""

    message: Message
    """Its message."""
    reply: Reply
    """The same as the ledger keeps it, with tokens and money."""


class AskedLLM:
    """The LLM behind an endpoint; from any thread.

    Args:
        config: Which, where, and for how much.
        run: Whose requests are counted for the budget.

    Attributes:
        model: What it is called.

    Raises:
        ConfigInvalid: No model is named, a budget has no price, or the address is wrong.
        TeacherFailed: The ledger cannot be opened.
    """

    def __init__(self, config: AskConfig, run: str) -> None:
        if not config.ask_model:
            raise ConfigInvalid("name the LLM that is asked: --ask-model NAME")
        if config.ask_budget is not None and config.ask_price is None:
            raise ConfigInvalid("a budget needs the price of the LLM: --ask-price")
        try:
            self._sdk: Any = import_module("openai")
        except ModuleNotFoundError:
            raise ConfigInvalid(install("openai", "teacher")) from None
        self._config, self._run, self.model = config, run, config.ask_model
        self._access = Access.of(config.ask, "--ask", config.ask_key_variable, {})
        self._prices = {config.ask_model: config.ask_price} if config.ask_price else {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="llm", daemon=True)
        self._thread.start()
        try:
            self._wait(self._opened())
        except BaseException:
            self._loop.call_soon_threadsafe(self._loop.stop)
            raise

    def answer(self, request: ChatRequest, gone: Callable[[], bool]) -> AskedReply | None:
        """Return what the LLM answers; None where it does not, or no more money is to be spent.

        Args:
            request: What the client asks.
            gone: Whether the client has left.

        Raises:
            ClientLeft: It has.
        """
        future = asyncio.run_coroutine_threadsafe(self._answered(request), self._loop)
        while True:
            try:
                return future.result(_LOOK)
            except NotYet:
                if gone():
                    future.cancel()
                    raise ClientLeft from None
            except Exception as error:  # noqa: BLE001 - the student's own turn stands
                said = self._access.secrets.shown(said_by(error))
                LOGGER.warning("not asked", extra={"told": {"why": said}})
                return None

    def close(self) -> None:
        """Close connections and ledger."""
        self._wait(self._closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _opened(self) -> None:
        config = self._config
        self._ledger = Ledger(config.ask_ledger or default_path(), self._run)
        self._client = open_client(
            self._sdk, self._access, config.ask_seconds, lambda _: MOST_BYTES, max_retries=0
        )

    async def _closed(self) -> None:
        await self._client.close()
        self._ledger.close()

    async def _answered(self, asked: ChatRequest) -> AskedReply | None:
        body = asked.model_dump(mode="json", exclude=_OURS, exclude_unset=True)
        body["model"] = self._config.ask_model
        for one in body["messages"]:  # what a student thought is no part of the protocol
            one.pop("reasoning_content", None)
        request = self._request(body)
        known = self._ledger.find(request.key)
        if known is None:
            budget = self._config.ask_budget
            if budget is not None and self._ledger.totals().cost >= budget:
                raise ConfigInvalid(f"the budget of {budget:g} is used up; raise --ask-budget")
            known = await self._sent(request, body)
        said = message(json.loads(known.text))
        if not said.text and not said.calls:
            raise TeacherFailed(f"{self.model} answered without words or calls ({known.finish})")
        return AskedReply(said, known)

    def _request(self, body: dict[str, Any]) -> Request:
        messages = json.dumps(body["messages"], ensure_ascii=False)
        model, read = self._config.ask_model, estimate(messages)
        cost = money(self._prices, model, read, 0) or 0.0
        return Request(
            key=digest_of({"served": body, "at": self._access.url}),
            task=f"{PLAYED}{self._run}",
            model=model,
            messages=messages,
            expected=Expected(input_tokens=read, output_tokens=0, cost=cost),
        )

    async def _sent(self, request: Request, body: dict[str, Any]) -> Reply:
        number = self._ledger.begin(request)
        state = AttemptState.LOST
        try:
            post = self._client.post("/chat/completions", body=body, cast_to=raw_reply(self._sdk))
            try:
                data = read_json((await post).content)
            except self._sdk.APIStatusError:
                state = AttemptState.REFUSED
                raise
            reply = self._reply(request, data)
        except BaseException as error:
            self._ledger.failed(number, state, self._access.secrets.shown(said_by(error)))
            raise
        self._ledger.answered(number, reply)
        return reply

    def _reply(self, request: Request, data: Any) -> Reply:
        choice, usage = data["choices"][0], data.get("usage") or {}
        text = json.dumps(choice["message"], ensure_ascii=False)
        read = usage.get("prompt_tokens", request.expected.input_tokens)
        wrote = usage.get("completion_tokens", estimate(text))
        return Reply(
            text=text,
            input_tokens=read,
            output_tokens=wrote,
            cost=money(self._prices, request.model, read, wrote) or 0.0,
            finish=str(choice.get("finish_reason") or ""),
        )
