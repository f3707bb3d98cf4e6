"""The page of annotated paths: complete, side by side, and safe whatever the texts say."""

import re
from html.parser import HTMLParser

from subgoal.annotation.subgoal import AnnotatedTrajectory, Subgoal, SubgoalSpan
from subgoal.environments.base import StopReason, Task
from subgoal.report.annotations import annotations_page
from subgoal.trajectories.trajectory import Step, Trajectory

ATTACK = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'"


class Elements(HTMLParser):
    """Gathers the elements, attributes and texts of a page, and whether all are closed."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "link", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def annotated(bounds, variation=0, name="boil", word="pot", teacher="recorded"):
    """A path of ten steps whose sub-goals end at the given steps."""
    steps = tuple(
        Step(action="wait", observation=ATTACK, score=number, moves=number, look="", inventory="")
        for number in range(1, 11)
    )
    task = Task(
        environment="w", name=name, variation=variation, split="train", description=f"boil {ATTACK}"
    )
    path = Trajectory(
        task=task, steps=steps, stop_reason=StopReason.SOLVED, final_score=100, source="oracle"
    )
    spans = tuple(
        SubgoalSpan(
            subgoal=Subgoal(name=f"goal_{number}", arguments=(word,)), first=first + 1, last=last
        )
        for number, (first, last) in enumerate(zip((0, *bounds), (*bounds, 10), strict=True))
    )
    return AnnotatedTrajectory(trajectory=path, spans=spans, teacher=teacher)


def read(page):
    elements = Elements()
    elements.feed(page)
    assert elements.open == []
    return elements


def test_hostile_texts_stay_texts():
    hostile = annotated([4], name=f"boil {ATTACK}", word=ATTACK, teacher=ATTACK)
    page = annotations_page(ATTACK, [hostile], [hostile], ATTACK)
    elements = read(page)
    assert "script" not in elements.tags
    assert "img" not in elements.tags
    assert not [name for name, _ in elements.attributes if name.startswith("on")]
    assert elements.text.count("<script>alert(1)</script>") >= 8
    assert "default-src 'none'" in page


def test_the_page_needs_nothing_from_elsewhere():
    page = annotations_page("run", [annotated([4])])
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#|data:)|url\(|@import""", page)


def test_two_teachers_stand_side_by_side_with_their_agreement():
    ours = [annotated([3, 6]), annotated([5], variation=1)]
    page = annotations_page("run", ours, [annotated([3, 7]), annotated([5], variation=2)], "other")
    text = " ".join(read(page).text.split())
    assert "on 1 of 2 paths: boundary F1 0.500" in text
    # The first sub-goals agree; the other two of each teacher do not.
    assert page.count('class="goal g0"') == 3
    assert page.count(' differs"') == 4
    # Rows: steps 1-3, 4-6, 7, 8-10; ours ends at 6, theirs at 7.
    rows = re.findall(r'<span class="number">([\d-]+)</span>', page)[:4]
    assert rows == ["1-3", "4-6", "7", "8-10"]
    assert page.count('rowspan="2"') == 2


def test_the_first_paths_of_every_type_are_shown():
    names = ("boil", "melt", "freeze")
    paths = [annotated([4], variation=v, name=name) for name in names for v in range(5)]
    page = annotations_page("run", paths, limit=4)
    assert page.count("<details") == 4
    assert all(f">{name}</h2>" in page for name in names)
    assert "4 of 15 paths" in page
