"""What the teacher reads: folded paths, segments, examples, digests."""

import json
from pathlib import Path

import pytest

from subgoal.annotation.teachers.llm.prompt import Prompt, render_pairs, render_steps
from subgoal.annotation.teachers.recorded import prompt_digest, recorded_annotations
from subgoal.errors import ConfigInvalid

ANNOTATED = recorded_annotations("scienceworld")
PLANE = next(one for one in ANNOTATED if "inclined" in one.trajectory.task.name)


def test_repeated_actions_are_folded():
    steps = PLANE.trajectory.steps
    text = render_steps(steps)
    looks = next(line for line in text.splitlines() if "(x" in line)
    first, last = map(int, looks.split()[0].split("-"))
    assert f"(x{last - first + 1})" in looks
    assert {steps[number - 1].action for number in range(first, last + 1)} == {
        looks.split(" ", 1)[1].split(" (x")[0]
    }
    assert text.splitlines()[0].startswith("1 ")


def test_answers_are_shortened_to_one_line(trajectories):
    step = (
        trajectories[0].steps[0].model_copy(update={"observation": "a room\nwith  a " + "x" * 99})
    )
    assert render_steps([step], answer=20).endswith("=> a room with a xxx... [0]")
    assert "=>" not in render_steps([step], answer=0)


def test_the_own_prompt_has_the_recorded_digest():
    prompt = Prompt()
    assert prompt.digest(PLANE.trajectory) == prompt_digest()
    assert prompt.system.startswith("You are an expert")
    assert "User message" not in prompt.system


def test_examples_are_of_the_type_and_never_the_path_itself():
    prompt = Prompt(examples=ANNOTATED, shown=2)
    same = [one for one in ANNOTATED if one.trajectory.task.name == PLANE.trajectory.task.name]
    shortest = min(same, key=lambda one: len(one.trajectory.steps))
    messages = prompt.ask(shortest.trajectory)
    assert [one["role"] for one in messages] == [
        "system", *["user", "assistant"] * 2, "user"
    ]  # fmt: skip
    replies = [one["content"] for one in messages if one["role"] == "assistant"]
    own = render_pairs(shortest.spans)
    assert own not in replies
    assert all(reply in {render_pairs(one.spans) for one in same} for reply in replies)
    assert prompt.digest(shortest.trajectory) != prompt_digest()
    assert prompt.digest(shortest.trajectory) != prompt.digest(same[-1].trajectory)


def test_a_segment_is_asked_with_what_is_around():
    spans = PLANE.spans
    part = (spans[2].first, spans[3].last)
    text = Prompt().ask_segment(PLANE.trajectory, spans[:2] + spans[4:], part)[-1]["content"]
    assert f"Steps {part[0]} to {part[1]} have no sub-goal yet" in text
    assert json.dumps([[str(one.subgoal), one.last] for one in spans[:2]]) in text
    assert str(spans[2].subgoal) not in text


@pytest.mark.parametrize("text", [None, "no parts at all"])
def test_a_wrong_prompt_file_is_named(tmp_path: Path, text: str | None):
    file = tmp_path / "mine.md"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigInvalid, match=r"mine\.md"):
        Prompt(file)
