"""How long a teacher's reply takes to read, by its form and the length of the path.

    python research/benchmarks/read_reply.py

Paths are recorded annotations of ScienceWorld, strung together to 1,000 actions. In the paper's
form 15 % of the actions are missing, extra, repeated or reworded, so that the alignment has work;
its time is also given alone. The last line is `alignment of 1000 actions: N ms`.
"""

import random
import statistics
import time
from collections.abc import Callable

from subgoal.annotation.replies.alignment import owners
from subgoal.annotation.replies.listed import listed_subgoals
from subgoal.annotation.replies.numbered import Listing
from subgoal.annotation.replies.read import read_partly
from subgoal.annotation.subgoal import SubgoalSpan
from subgoal.annotation.teachers.llm.prompt import render_pairs
from subgoal.annotation.teachers.recorded import recorded_annotations
from subgoal.annotation.teachers.rehearsal.faults import Fault, faulty_text

LENGTH, REPEATS = 1000, 7


def long_path(length: int) -> tuple[list[SubgoalSpan], list[str]]:
    """String annotated paths together to one of `length` actions."""
    spans: list[SubgoalSpan] = []
    actions: list[str] = []
    for one in recorded_annotations("scienceworld"):
        for span in one.spans:
            part = one.trajectory.actions[span.first - 1 : span.last][: length - len(actions)]
            if not part:
                return spans, actions
            first = len(actions) + 1
            actions += part
            spans.append(SubgoalSpan(subgoal=span.subgoal, first=first, last=len(actions)))
    return spans, actions


def milliseconds(work: Callable[[], object]) -> float:
    """Return the median time of `work`."""
    times: list[float] = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


def main() -> None:
    spans, actions = long_path(LENGTH)
    listed = faulty_text(Fault.REWORDED, "", spans, actions, random.Random(0))
    print(f"{len(actions)} actions, {len(spans)} sub-goals")
    pairs = render_pairs(spans)
    print(f"pairs: {milliseconds(lambda: read_partly(pairs, actions)):.1f} ms")
    draft = listed_subgoals(listed, actions)
    assert isinstance(draft, Listing)
    whole = milliseconds(lambda: read_partly(listed, actions))
    alone = milliseconds(lambda: owners(draft.items, actions))
    print(f"the paper's form: {whole:.1f} ms, {alone:.1f} ms of it aligning")
    print(f"alignment of {len(actions)} actions: {alone:.1f} ms")


if __name__ == "__main__":
    main()
