"""The report: typed data, the terminal's table, and a page that is safe and self-contained."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from subgoal.agents.dialogue import Replacement
from subgoal.environments.base import StopReason, Task
from subgoal.errors import RunFolderInvalid
from subgoal.evaluation.episode import Episode, EpisodeStep
from subgoal.evaluation.summary import Students, journal, students_file, summarize
from subgoal.record import Record
from subgoal.report.analyses import analyse, sampled
from subgoal.report.charts import forests, loss_chart, score_chart
from subgoal.report.freshness import outdated
from subgoal.report.html import json_text
from subgoal.report.write import report
from subgoal.storage.run_folder import RunFolder
from subgoal.students.ending import Ending, TrainingExtent

ATTACK = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
TYPES = ("boil", "find-plant", "use-thermometer")
SCORES = {
    "hierarchical": [70, 80, 100, 60, 100, 90, 40, 50, 60],
    "flat": [70, 60, 80, 60, 100, 100, 20, 30, 60],
    "random_action": [0, 10, 0, 0, 20, 0, 10, 0, 0],
}


def _episode(agent: str, number: int, score: int) -> Episode:
    task = Task(
        environment="scienceworld",
        name=TYPES[number // 3],
        variation=number % 3,
        split="test",
        description=f"Your task is to {ATTACK}",
    )
    steps = [
        EpisodeStep(
            action=f"open {ATTACK}",
            predicted="opne" if step == 1 else "",
            replaced=Replacement.CHOSEN if step == 1 else None,
            subgoal=f"navigate_to({ATTACK})" if agent == "hierarchical" else "",
            observation=ATTACK * 3,
            score=score * step // 3,
            moves=step,
            accepted=step != 2,
        )
        for step in (1, 2, 3)
    ]
    return Episode(
        task=task,
        agent=agent,
        protocol="paper",
        steps=tuple(steps),
        score=score,
        final_score=score,
        stop_reason=StopReason.SOLVED if score == 100 else StopReason.STEP_LIMIT,
        seconds=1.5,
        tokens=1200,
    )


class _Nothing(Record):
    pass


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    for agent, scores in SCORES.items():
        episodes = journal(folder, "paper", agent)
        for number, score in enumerate(scores):
            episodes.append(_episode(agent, number, score))
        episodes.seal()
    with folder.stage("collect", _Nothing()) as stage:
        stage.finish({ATTACK: folder / "trajectories"}, paths=9)
    return folder


def test_the_table_reads_like_this(folder: RunFolder) -> None:
    text = f"{summarize(folder, 'paper')}\n"
    assert text == (Path(__file__).parent / "table.txt").read_text()


def test_the_report_is_written_and_says_the_result_first(folder: RunFolder) -> None:
    written = report(folder)
    assert written.data.headline.startswith(
        "On 9 tasks of 3 task types (protocol paper), hierarchical scores 72.2 of 100"
    )
    stored = json.loads(written.json_file.read_text())
    assert [one["overall"]["replaced"] for one in stored["results"][0]["agents"]] == [
        {"chosen": 9}
    ] * 3
    assert written.page.read_text().count("<td>9</td>") >= 3
    assert stored["results"][0]["agents"][0]["overall"]["score"]["mean"] == pytest.approx(72.2222)
    assert stored["episodes_played"] == 27
    text = written.page.read_text()
    assert text.index("hierarchical scores 72.2") < text.index("<table>")


def test_a_training_that_ended_early_is_said_before_every_score(folder: RunFolder) -> None:
    cut = TrainingExtent(tokens=680_000, share=0.19, ending=Ending.CLOCK)
    whole = TrainingExtent(tokens=3_600_000, share=1.0, ending=Ending.BUDGET)
    for agent, extent in (("hierarchical", cut), ("flat", whole)):
        students = Students(extents={"both" if extent is cut else "flat": extent})
        students_file(folder, "paper", agent).write_text(students.model_dump_json())
    written = report(folder)
    early, unequal = written.data.cautions
    assert "trained on 19 % of its budget" in early
    assert "hierarchical 680,000" in unequal
    assert json.loads(written.json_file.read_text())["cautions"] == [early, unequal]
    text = written.page.read_text()
    assert text.index("trained on 19 % of its budget") < text.index("<table>")
    assert str(summarize(folder, "paper")).splitlines()[:2] == [early, unequal]


def test_a_training_that_is_not_complete_is_said(folder: RunFolder) -> None:
    with pytest.raises(KeyboardInterrupt), folder.stage("train-flat", _Nothing()):
        raise KeyboardInterrupt
    assert "'flat'" in report(folder).data.cautions[0]


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_report_of_other_stages_than_are_there_is_outdated(folder: RunFolder) -> None:
    assert not outdated(folder)  # there is none
    report(folder)
    assert not outdated(folder)
    with folder.stage("evaluate-paper-oracle", Record()) as stage:
        stage.finish({})
    assert outdated(folder)
    report(folder)
    assert not outdated(folder)


def test_text_of_the_world_stays_text(folder: RunFolder) -> None:
    text = report(folder).page.read_text()
    tags = _Tags(text).tags
    assert [a.get("type") for tag, a in tags if tag == "script"] == ["application/json", None]
    assert not [a for tag, a in tags if tag == "img" or any(key.startswith("on") for key in a)]
    assert "alert(1)</script>" not in text
    carried = re.search(r'id="episodes">(.*?)</script>', text, re.DOTALL)
    assert carried is not None
    assert json.loads(carried[1])[0]["steps"][0][3] == ATTACK * 3


def test_the_page_loads_nothing(folder: RunFolder) -> None:
    text = report(folder).page.read_text()
    assert "http://" not in text
    assert "https://" not in text
    links = [a[key] for _, a in _Tags(text).tags for key in ("src", "href") if key in a]
    assert links == ["data:,"]
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\(", text)


def test_the_policy_names_the_script_by_digest(folder: RunFolder) -> None:
    import base64
    import hashlib

    text = report(folder).page.read_text()
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_episodes_are_left_out_where_the_page_would_grow_too_large(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = report(folder).page
    assert "27 of 27 episodes" in whole.read_text()
    limit = whole.stat().st_size - 5000
    monkeypatch.setattr("subgoal.report.write.MOST_BYTES", limit)
    small = report(folder).page
    assert small.stat().st_size <= limit
    assert re.search(r"\b2[0-6] of 27 episodes", small.read_text())


def test_the_sample_takes_every_type_first_and_every_agent() -> None:
    agents = [
        [_episode(a, n, s) for n, s in enumerate(SCORES[a])] for a in ("hierarchical", "flat")
    ]
    taken = [(e.task.name, e.task.variation, e.agent) for e in sampled(agents, 7)]
    assert taken == [
        *[(name, 0, agent) for name in TYPES for agent in ("hierarchical", "flat")],
        ("boil", 1, "hierarchical"),
    ]


def test_an_unfinished_agent_is_named_and_left_out_of_comparisons(folder: RunFolder) -> None:
    episodes = journal(folder, "paper", "oracle")
    episodes.append(_episode("oracle", 0, 100))
    episodes.close()
    summary = summarize(folder, "paper")
    assert len(summary.comparisons) == 3
    counted, unfinished = summary.notes
    assert counted.startswith("3 variations of a type were played at most, not the 10 of the")
    assert "oracle has played other tasks than the rest (1 against 9)" in unfinished


def test_agents_that_played_other_types_stand_beside_each_other(folder: RunFolder) -> None:
    for agent in ("random_subgoals", "semi_random_subgoals"):
        store = journal(folder, "paper", agent)
        for number in (3, 4, 5):
            store.append(_episode(agent, number, 10))
        store.close()
    assert "random subgoals" in str(summarize(folder, "paper"))


def test_an_empty_folder_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderInvalid, match="first run `subgoal evaluate"):
        analyse(RunFolder(tmp_path), 10)


def test_json_in_the_page_cannot_end_its_element() -> None:
    text = json_text({"a": f"<!--{ATTACK}-->&\u2028"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": f"<!--{ATTACK}-->&\u2028"}


def test_charts_without_data() -> None:
    assert loss_chart([]) is None
    assert score_chart([]) is None
    assert forests([]) == []
