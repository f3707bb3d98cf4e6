"""What docs/format.md says of llama.cpp is so, with its own server."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import subgoal
from subgoal.agents.base import Ask
from subgoal.engines.base import Generated
from subgoal.students.export.export import Form, export_student
from subgoal.students.export.quantization import Quantization
from subgoal.text.tokenizers.marks import Mark

xllamacpp: Any = pytest.importorskip("xllamacpp")

STOP = [Mark.END.value, Mark.DONE.value, Mark.COMPLETE.value]
LIMIT = 24
Post = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="module")
def turns(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, list[tuple[list[int], Generated]]]:
    """The agent that ships as GGUF, and what our engine answers to its first texts."""
    found: list[tuple[list[int], Generated]] = []

    def answer(ask: Ask) -> Generated:
        read = list(ask.request.stream.ids)
        (written,) = ask.engine.generate([ask.request])
        found.append((read, written))
        return written

    with subgoal.load_agent("scienceworld") as agent:
        session = agent.session("Your task is to find a(n) living thing.", answerer=answer)
        doors = "\n\t".join(
            f"A door to the {room} (that is open)"
            for room in (
                "art studio",
                "bedroom",
                "greenhouse",
                "kitchen",
                "living room",
                "workshop",
            )
        )
        hall = (
            "This room is called the hallway. In it, you see: \n\tthe agent\n\t"
            f"a substance called air\n\ta painting\nYou also see:\n\t{doors}"
        )
        for text in (hall, "You move to the outside."):
            session.act(text)
        session.close()
        place = tmp_path_factory.mktemp("gguf") / "student.gguf"
        export_student(agent.agent.folder / "both", Form.GGUF, place, Quantization.FLOAT32)
    return place, found


def _served(model: Path, special: bool) -> tuple[Any, Post]:
    settings = xllamacpp.CommonParams()
    settings.model.path = str(model)
    settings.n_ctx, settings.n_parallel, settings.port = 2048, 1, 0
    settings.special, settings.warmup, settings.verbosity = special, False, 0
    server = xllamacpp.Server(settings)

    def post(body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{server.listening_address}/completion",
            json.dumps(
                {"n_predict": LIMIT, "temperature": 0, "return_tokens": True, "stop": STOP, **body}
            ).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as reply:
            return json.load(reply)

    return server, post


def test_the_turns_are_those_of_our_engine_and_end_at_their_marks(turns: Any) -> None:
    model, asked = turns
    server, post = _served(model, special=True)
    ended = set()
    for read, written in asked:
        said = post({"prompt": read})
        assert tuple(said["tokens"]) == written.ids
        ended.add(said["stopping_word"])
    assert ended == {Mark.END.value, Mark.DONE.value}
    del server


def test_without_special_an_ended_sub_goal_runs_on(turns: Any) -> None:
    model, asked = turns
    server, post = _served(model, special=False)
    said = [post({"prompt": read}) for read, written in asked if len(written.ids) == 1]
    assert said
    assert all(len(one["tokens"]) > 1 for one in said)  # past the mark that ends it
    del server
