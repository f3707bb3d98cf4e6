"""The page and the summary of an assessment: figures, and turn by turn where it differs."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from typing_extensions import override

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.evaluation.offline.answers import PathAnswers, acted
from subgoal.evaluation.offline.assess import Assessed
from subgoal.evaluation.offline.assessment import Assessment, assessment_parts
from subgoal.evaluation.offline.figures import JudgedTurn, judged
from subgoal.evaluation.offline.turn_match import TurnMatch
from subgoal.plain_text import storable
from subgoal.report.charts import WIDTH, help_chart
from subgoal.report.html import as_it_is, line_labels, part, template
from subgoal.storage.journal import write_text
from subgoal.storage.run_folder import RunFolder
from subgoal.summary import Summary, Table, TextLine, Tone
from subgoal.text.format import plain

MOST_BYTES = 5_000_000
"""Most bytes of the turns on the page; fewer paths are shown where they would not fit."""
SHOWN = 1_500
"""Characters of a message that are shown, the middle of longer ones left out."""
SHOWN_SUBGOAL = 200
"""The same of a sub-goal that a student set."""


class AssessSummary(Summary):
    """What `assess` did."""

    figures: Assessment
    """How much is right."""
    page: Path
    """The page to read it turn by turn."""
    json_file: Path
    """The figures as JSON."""

    @override
    def parts(self) -> list[TextLine | Table]:
        """Return all figures, and where the page lies."""
        where = f"turn by turn in {self.page}"
        return [*assessment_parts(self.figures), TextLine(text=where, tone=Tone.STRONG)]


def write_assessment(found: Assessed, folder: RunFolder) -> AssessSummary:
    """Write an assessment into a run folder: `assessment.html` and `assessment.json`.

    Args:
        found: What the stage found.
        folder: The run folder.
    """
    written = AssessSummary(
        figures=found.figures,
        page=folder / "assessment.html",
        json_file=folder / "assessment.json",
    )
    write_text(written.page, assessment_page(found, folder.path.name))
    write_text(written.json_file, found.figures.model_dump_json(indent=1) + "\n")
    return written


def assessment_page(found: Assessed, title: str, limit: int = MOST_BYTES) -> str:
    """Return the page: tables, the curve, and every turn beside what was written.

    Args:
        found: What the stage found.
        title: What it is about, such as the run folder's name.
        limit: Most characters of the turns that are shown, path by path.
    """
    parts = assessment_parts(found.figures)
    paths = _paths(found, found.students, limit)
    script, style = part("assessment.js"), part("page.css") + part("assessment.css")
    digest = hashlib.sha256(script.encode()).digest()
    chart = help_chart(found.figures.agents)
    return template("assessment.html.j2").render(
        title=storable(title),
        tables=[one for one in parts if isinstance(one, Table)],
        lines=[one for one in parts if isinstance(one, TextLine)],
        chart=chart,
        labels=line_labels(chart),
        width=WIDTH,
        students=found.students,
        tools=[one.name for one in found.figures.agents[0].tools],
        paths=paths,
        all_paths=len(found.paths),
        script=as_it_is(script),
        style=as_it_is(style),
        script_digest=base64.b64encode(digest).decode(),
    )


def _paths(found: Assessed, students: Sequence[str], limit: int) -> list[dict[str, Any]]:
    """Return as many of the paths as fit, as the template shows them."""
    shown: list[dict[str, Any]] = []
    room = limit
    for number, path in enumerate(found.paths):
        answers = {name: found.answers[name][number] for name in students}
        entry = _path(path, answers, found.told)
        room -= len(str(entry))
        if room < 0 and shown:
            break
        shown.append(entry)
    return shown


def _path(
    path: AnnotatedTrajectory, answers: Mapping[str, PathAnswers], told: DatasetConfig
) -> dict[str, Any]:
    by_agent = {name: judged(path, one.turns, told) for name, one in answers.items()}
    first = next(iter(by_agent.values()))
    events, turns = acted(path, told), list[dict[str, Any]]()
    before = path.trajectory.steps[0].look
    places = {turn.number: place for place, turn in enumerate(first)}
    for number, event in enumerate(events, start=1):
        if number in places:
            turn = first[places[number]]
            turns.append(
                {
                    "number": number,
                    "before": plain(before, SHOWN),
                    "truth": event.text,
                    "tool": turn.kind,
                    "subgoal": turn.subgoal,
                    "written": [
                        _written(name, own[places[number]]) for name, own in by_agent.items()
                    ],
                }
            )
        before = event.step.observation if event.step else ""
    return {"key": path.key, "turns": turns}


def _written(agent: str, turn: JudgedTurn) -> dict[str, Any]:
    answer = turn.answer
    certainty = "" if answer.certainty is None else f"{100 * answer.certainty:.0f} %"
    return {
        "agent": agent,
        "text": None if turn.match.exact else answer.action or "",
        "subgoal": plain(answer.subgoal or "", SHOWN_SUBGOAL),
        "certainty": certainty,
        "right": turn.match.exact,
        "verdict": _verdict(turn.match, answer.action),
    }


def _verdict(match: TurnMatch, written: str | None) -> str:
    if match.exact:
        return "right"
    if written is None:
        return "nothing written"
    if match.decision is False:
        return "says it instead" if match.tool is not None else "calls instead"
    if match.tool is None:
        return "other words"
    if match.arguments:
        return "the same calls, other words"
    return "other arguments" if match.tool else "another action"
