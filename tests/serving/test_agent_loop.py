"""The agent loop of a public framework runs on the student as it runs on an LLM."""

import asyncio
from typing import Any

import pytest

from trips import Running

pydantic_ai: Any = pytest.importorskip("pydantic_ai")
openai: Any = pytest.importorskip("openai")


@pytest.mark.parametrize("streamed", [False, True])
def test_an_agent_of_pydantic_ai_books_a_room(served: Running, streamed: bool) -> None:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    called = list[tuple[str, object]]()
    agent = pydantic_ai.Agent(system_prompt="You book rooms.")

    @agent.tool_plain
    def find(city: str) -> str:
        called.append(("find", city))
        return "room 12"

    @agent.tool_plain
    def book(room: int) -> str:
        called.append(("book", room))
        return "booked"

    async def run() -> str:
        async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none") as client:
            model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))
            if not streamed:
                return (await agent.run("A room in Rome, please.", model=model)).output
            async with agent.run_stream("A room in Rome, please.", model=model) as reply:
                return await reply.get_output()

    assert asyncio.run(run()) == "Your room in Rome is booked."
    assert called == [("find", "Rome"), ("book", 12)]
