"""Tokens of a teacher's prompt and reply, ours against the paper's form.

    python research/benchmarks/teacher_tokens.py [--run RUN] [--tokenizer tokenizer.json]

Ours: repeated actions folded into one line, each with the world's answer and the score; the reply
is a list of pairs. The paper's: two worked examples in the prompt, every action listed in it, and
every action echoed in the reply. Both with the same instructions, over the recorded annotations.

The tokenizer is a byte-level BPE of 32,000 tokens trained on Python's own reference manual (which
is in every Python, and has no text of these worlds), or the file that `--tokenizer` names; the
number of characters is given as well. The recorded paths have no answers of the world; `--run`
takes them from a run folder in which the same paths were collected.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import NamedTuple

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.annotation.teachers.llm.cost import TokenCounter
from subgoal.annotation.teachers.llm.prompt import Prompt, render_pairs
from transfer import recorded

Count = Callable[[str], int]


class Used(NamedTuple):
    """What one form takes for all paths."""

    sent: float
    received: float


def own_tokenizer() -> Count:
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(topics.values(), vocab_size=32_000, show_progress=False)
    return lambda text: len(tokenizer.encode(text).ids)


def papers_reply(one: AnnotatedTrajectory) -> str:
    parts = [
        (f"{number}- {span.subgoal}: ", _quoted(one.trajectory.actions[span.first - 1 : span.last]))
        for number, span in enumerate(one.spans, start=1)
    ]
    return " ".join(f"{subgoal}{{{actions}}}" for subgoal, actions in parts)


def papers_path(one: AnnotatedTrajectory) -> str:
    return f"Task: {one.trajectory.task.description}\nActions: {_quoted(one.trajectory.actions)}"


def _quoted(actions: Sequence[str]) -> str:
    return ", ".join(f"'{action}'" for action in actions)


def papers_form(annotated: Sequence[AnnotatedTrajectory], count: Count) -> Used:
    """Count the paper's form; its two examples are the paths of median length."""
    instructions = Prompt().system.rpartition("\n\n")[0]
    ranked = sorted(annotated, key=lambda one: len(one.trajectory.steps))
    middle = len(ranked) // 2
    shown = "\n\n".join(
        f"{papers_path(one)}\nSub-goals: {papers_reply(one)}"
        for one in ranked[middle - 1 : middle + 1]
    )
    fixed = count(f"{instructions}\n\n{shown}\n\n")
    paths = [count(f"{papers_path(one)}\nSub-goals:") for one in annotated]
    replies = [count(papers_reply(one)) for one in annotated]
    return Used(fixed + sum(paths) / len(paths), sum(replies) / len(replies))


def our_form(annotated: Sequence[AnnotatedTrajectory], count: Count, answer: int) -> Used:
    prompt = Prompt(answer=answer)
    sent = [
        count("\n".join(message["content"] for message in prompt.ask(one.trajectory)))
        for one in annotated
    ]
    replies = [count(render_pairs(one.spans)) for one in annotated]
    return Used(sum(sent) / len(sent), sum(replies) / len(replies))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--run", type=Path, default=None, help="run folder with the same paths")
    parser.add_argument("--tokenizer", default="", help="a model whose tokens tiktoken counts")
    options = parser.parse_args()
    annotated = recorded(options.run)
    if options.tokenizer:
        name, tokens = options.tokenizer, TokenCounter.of(options.tokenizer).count
    else:
        name, tokens = "byte-level BPE of 32,000 trained on Python's manual", own_tokenizer()
    print(f"{len(annotated)} paths; tokens: {name}")
    answers = any(step.observation for one in annotated for step in one.trajectory.steps)
    print(f"the world's answers: {'in our prompt' if answers else 'not at hand (see --run)'}\n")
    sent = received = 0.0
    for unit, count in (("characters", len), ("tokens", tokens)):
        paper, ours = papers_form(annotated, count), our_form(annotated, count, 120)
        bare = our_form(annotated, count, 0)
        print(f"{unit} a path            input   output")
        print(f"  the paper's form   {paper.sent:8.0f} {paper.received:8.1f}")
        print(f"  ours               {ours.sent:8.0f} {ours.received:8.1f}")
        if answers:
            print(f"  ours, no answers   {bare.sent:8.0f} {bare.received:8.1f}")
        sent, received = paper.sent / ours.sent, paper.received / ours.received
        print(f"  ratio              {sent:8.2f} {received:8.2f}\n")
    print(f"input ratio {sent:.2f}")
    print(f"ratio {received:.2f}")


if __name__ == "__main__":
    main()
