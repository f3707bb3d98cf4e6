"""From annotated trajectories to training examples, by role."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from subgoal.annotation.subgoal import AnnotatedTrajectory
from subgoal.datasets.config import DatasetConfig
from subgoal.environments.registry import LOG, language
from subgoal.errors import ConfigInvalid
from subgoal.record import DEFAULT, of_type
from subgoal.text.conditions import with_reasons
from subgoal.text.context import make_context
from subgoal.text.events import course, drive
from subgoal.text.format import (
    LEARNED,
    ActionForm,
    Asked,
    Context,
    RenderingName,
    Role,
    Text,
    TextFormat,
    Turns,
    plain,
    spelled,
)
from subgoal.text.functional_actions import functional_action
from subgoal.text.tokenizers.marks import StudentTokenizer
from subgoal.text.window import PHRASES, window_line


@dataclass(frozen=True)
class Example:
    """One text to learn from.

    Attributes:
        ids: Token ids, int32 (length,).
        learned: True where the token is in the loss, bool (length,).
        key: The task's key.
        reopened: True where the text goes on from one that had become too long.
    """

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]
    key: str
    reopened: bool


def chosen_types(
    annotated: Sequence[AnnotatedTrajectory], config: DatasetConfig
) -> list[AnnotatedTrajectory]:
    """Leave task types out of a data set (paper, held-out task types).

    Args:
        annotated: The data set.
        config: Which types are trained on, and which are left out.

    Raises:
        ConfigInvalid: The data has no such type, or no other than those that are left out.
    """
    known = dict.fromkeys(one.trajectory.task.name for one in annotated)
    for field in ("types", "without", "per_type", "earlier", "only_renamed"):
        value: object = getattr(config, field)
        for name in cast("Iterable[str]", value) if isinstance(value, Iterable) else ():
            if name not in known and not (name == DEFAULT and isinstance(value, Mapping)):
                raise ConfigInvalid(
                    f"train.dataset.{field}: the data has no task type '{name}'; it has: "
                    f"{', '.join(known)}"
                )
    kept = set(config.types or known) - set(config.without)
    if not known:
        raise ConfigInvalid(
            "there are no annotated paths to learn from; `subgoal annotate` says why"
        )
    if not kept:
        raise ConfigInvalid(
            "train.dataset.without leaves out every task type that is trained on; leave some"
        )
    return [one for one in annotated if one.trajectory.task.name in kept]


class Unwritable(NamedTuple):
    """What a tokenizer cannot write.

    Attributes:
        characters: Those that it has no tokens for.
        share: Share of the sub-goals and actions that have one.
    """

    characters: tuple[str, ...]
    share: float


def corpus(
    annotated: Iterable[AnnotatedTrajectory], form: TextFormat | None = None
) -> Iterable[str]:
    """Yield every piece of text that a tokenizer should know, once a path.

    Args:
        annotated: The paths.
        form: The text format; None: a transcript's.
    """
    windows = form is not None and form.rendering is RenderingName.WINDOW
    functional = form is not None and form.actions is ActionForm.FUNCTIONAL
    for one in annotated:
        task, steps = one.trajectory.task, one.trajectory.steps
        spoken = language(task.environment)
        limit = TextFormat().answer if form is None else form.answer
        shown = (
            partial(window_line, language=spoken, limit=limit)
            if windows
            else partial(plain, limit=limit)
        )
        if form is None or form.describe:
            yield task.description
        yield shown(steps[0].inventory)
        yield shown(steps[0].look)
        for step, before in zip(steps, (None, *steps[:-1]), strict=True):
            yield functional_action(step.action, spoken) if functional else step.action
            yield shown(step.observation)
            if before is not None and before.entered:
                yield shown(step.look)
        for span in one.spans:
            yield str(span.subgoal) if windows else spelled(str(span.subgoal))
        if windows:
            yield from PHRASES


def unwritable(
    annotated: Iterable[AnnotatedTrajectory],
    tokenizer: StudentTokenizer,
    form: TextFormat | None = None,
) -> Unwritable:
    """Return what of all sub-goals and actions that are learned a tokenizer has no tokens for.

    Args:
        annotated: The paths.
        tokenizer: Gives the ids.
        form: The text format; None: a transcript's.
    """
    if tokenizer.unknown is None:
        return Unwritable((), 0.0)
    written = _written(annotated, form)
    lost = {text for text in written if tokenizer.unknown in tokenizer.words(text)}
    letters = {letter for text in lost for letter in text}
    unknown = {letter for letter in letters if tokenizer.unknown in tokenizer.words(letter)}
    return Unwritable(tuple(sorted(unknown)), len(lost) / max(1, len(written)))


class LongTurns(NamedTuple):
    """Sub-goals and actions that are longer than a student may write.

    Attributes:
        number: How many.
        share: Share of all.
        longest: Tokens of the longest.
        text: The longest.
    """

    number: int
    share: float
    longest: int
    text: str


def long_turns(
    annotated: Iterable[AnnotatedTrajectory], tokenizer: StudentTokenizer, form: TextFormat
) -> LongTurns:
    """Return which sub-goals and actions that are learned are longer than `form.turn` tokens.

    Args:
        annotated: The paths.
        tokenizer: Gives the ids.
        form: The text format.
    """
    written = _written(annotated, form)
    spelled_out = {text: tokenizer.words(tokenizer.spelled(text)) for text in written}
    sizes = {text: len(ids) + 1 for text, ids in spelled_out.items()}  # and its end
    long = [text for text, size in sizes.items() if size > form.turn]
    text = max(sizes, key=lambda text: (sizes[text], text), default="")
    return LongTurns(len(long), len(long) / max(1, len(written)), sizes.get(text, 0), text)


def cut_answers(
    annotated: Iterable[AnnotatedTrajectory], form: TextFormat
) -> tuple[int, int, float]:
    """Return of how many answers the middle is left out (`cut`), of how many, and which share.

    Args:
        annotated: The paths.
        form: The text format.

    Returns:
        Answers that are cut, all answers, and the share of all their characters that is left out.
    """
    sizes = [len(step.observation) for one in annotated for step in one.trajectory.steps]
    over = [size - form.answer for size in sizes if form.answer and size > form.answer]
    return len(over), len(sizes), sum(over) / max(1, sum(sizes))


def _written(annotated: Iterable[AnnotatedTrajectory], form: TextFormat | None) -> set[str]:
    """Return all sub-goals and actions that are learned, as they are written."""
    windows = form is not None and form.rendering is RenderingName.WINDOW
    functional = form is not None and form.actions is ActionForm.FUNCTIONAL
    written: set[str] = set()
    for one in annotated:
        actions = [step.action for step in one.trajectory.steps if not step.injected]
        goals = [str(span.subgoal) for span in one.spans if not span.injected]
        spoken = language(one.trajectory.task.environment)
        written.update(functional_action(a, spoken) if functional else a for a in actions)
        written.update(goals if windows else map(spelled, goals))
    return written


def build(
    annotated: Iterable[AnnotatedTrajectory],
    role: Role,
    config: DatasetConfig,
    tokenizer: StudentTokenizer,
) -> list[Example]:
    """Build the examples of a role: the same `Context` that agents use, driven by what was done.

    Raises:
        ConfigInvalid: The context is too small for a path (no rule could shorten its text enough),
            a turn too short for what is to be written, or the role needs another rendering.
    """
    examples = [
        Example(
            ids=np.array(text.ids, np.int32),
            learned=np.isin(text.targets, list(LEARNED[role])),
            key=one.trajectory.task.key,
            reopened=text.reopened,
        )
        for one in annotated
        for text in _drawn_texts(texts_of(one, role, config, tokenizer), one, config)
        if any(target in LEARNED[role] for target in text.targets)
    ]
    longest = max(examples, key=lambda example: len(example.ids), default=None)
    if longest is not None and len(longest.ids) > config.context:
        raise ConfigInvalid(
            f"train.dataset.context = {config.context} is too small: a text of {longest.key} has "
            f"{len(longest.ids)} tokens and cannot be shortened; raise it"
        )
    if config.rendering is RenderingName.WINDOW:
        _check_turns(examples, config)
    return examples


def _context(
    one: AnnotatedTrajectory, role: Role, config: DatasetConfig, tokenizer: StudentTokenizer
) -> Context:
    world = one.trajectory.task.environment
    spoken = language(world)
    if config.turns in {Turns.CHAT, Turns.MESSAGES}:
        fitting = Turns.MESSAGES if world.startswith(LOG) else Turns.CHAT
        if config.turns is not fitting:
            raise ConfigInvalid(
                f"train.dataset.turns = '{config.turns}' does not go with {world}; set '{fitting}'"
            )
    if config.actions is ActionForm.FUNCTIONAL and not spoken.forms:
        raise ConfigInvalid(
            f"train.dataset.actions = '{config.actions}': the language of world '{world}' has no "
            f"forms; write them there, or set '{ActionForm.ELEMENTARY}'"
        )
    return make_context(tokenizer, config.form, role, spoken)


def _check_turns(examples: Sequence[Example], config: DatasetConfig) -> None:
    written = max(examples, key=lambda example: int(example.learned.sum()), default=None)
    if written is not None and written.learned.sum() > config.turn:
        raise ConfigInvalid(
            f"train.dataset.turn = {config.turn} is too small: in {written.key} "
            f"{written.learned.sum()} tokens are to be written at once; raise it"
        )


def texts_of(
    one: AnnotatedTrajectory, role: Role, config: DatasetConfig, tokenizer: StudentTokenizer
) -> list[Text]:
    """Return all texts of a path, as a student of a role reads and writes them.

    Args:
        one: The path.
        role: The role.
        config: How paths become texts.
        tokenizer: The student's tokenizer.

    Raises:
        ConfigInvalid: The role needs another rendering.
    """
    context = _context(one, role, config, tokenizer)
    events = course(
        with_reasons(one) if config.reasons else one,
        goals=context.has_goals,
        every_step=config.planner_asked is Asked.EVERY_STEP,
        move_limit=config.move_limit,
        drop=config.drop,
    )
    for event in events:
        drive(context, event)
    return context.finished


def _drawn_texts(texts: list[Text], one: AnnotatedTrajectory, config: DatasetConfig) -> list[Text]:
    share = of_type(config.earlier, one.trajectory.task.name, 1.0)
    return [text for text in texts[:-1] if _drawn(text, share)] + texts[-1:]


def _drawn(text: Text, share: float) -> bool:
    """Draw lots for a text: by what it says, so that each copy of a path has its own."""
    return share >= 1 or random.Random(repr(text.ids)).random() < share
