"""A student at play: its text of the episode, and the stream that holds it computed."""

from collections.abc import Generator, Sequence

from typing_extensions import override

from subgoal.agents.alternatives import likeliest
from subgoal.agents.base import Ask, Seat
from subgoal.agents.config import Decoding
from subgoal.engines.base import Engine, Generated, Generation, Stream
from subgoal.engines.config import EngineConfig, EngineName
from subgoal.engines.constraint import OneOf
from subgoal.environments.language import WorldLanguage
from subgoal.errors import EngineFailed, TextTooLong
from subgoal.text.context import make_context
from subgoal.text.format import ActionForm, Asked, Context, Role, Text, TextFormat
from subgoal.text.functional_actions import elementary_action, functional_action
from subgoal.text.tokenizers.marks import Mark, StudentTokenizer

_DRAWN_AT = 1.0
"""Sampling temperature of a turn that is drawn in place of one that did not serve."""


def check_decoding(decoding: Decoding, engine: EngineConfig) -> None:
    """Refuse a way of writing that an engine does not have.

    Raises:
        EngineFailed: It does not.
    """
    if decoding.temperature > 0 and engine.engine is EngineName.CTRANSLATE2:
        raise EngineFailed(
            "engine 'ctranslate2' does not sample by a seed; set decoding.temperature = 0, or "
            "engine = 'transformers'"
        )
    if decoding.beams > 1 and decoding.temperature > 0:
        raise EngineFailed("beams do not sample; set decoding.temperature = 0, or beams = 1")


def check_student(decoding: Decoding, engine: Engine, tokenizer: StudentTokenizer) -> None:
    """Refuse a way of writing that a student that is open does not have.

    Raises:
        EngineFailed: It cannot.
    """
    if decoding.beams > 1 and not engine.searches:
        raise EngineFailed(
            "decoding.beams needs an encoder-decoder student that is not on a server; set it to 1"
        )
    marked = engine.constrains and bool(tokenizer.starts((Mark.ACT,)))
    if decoding.choose and not marked:
        raise EngineFailed(
            "decoding.choose needs a causal student with marks on the engine 'transformers'; set "
            "it to false, or engine = 'transformers'"
        )


class StudentSeat(Seat):
    """One student in one episode.

    Args:
        engine: Its model.
        tokenizer: Its tokenizer.
        form: The text format it was trained on.
        role: What it was trained for.
        decoding: How it writes.
        language: The world's words.

    Attributes:
        form: As given.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: StudentTokenizer,
        form: TextFormat,
        role: Role,
        decoding: Decoding,
        language: WorldLanguage,
    ) -> None:
        self._context = make_context(tokenizer, form, role, language)
        self._language = language
        self.form, self.role = form, role
        self._engine, self._tokenizer, self._decoding = engine, tokenizer, decoding
        self._stream: Stream | None = None
        self._turns = 0
        self.free = not tokenizer.starts((Mark.ACT,))
        self.chooses, self.grounded = decoding.choose, decoding.grounded
        self.draws = engine.samples
        self.asked_always = form.planner_asked is Asked.EVERY_STEP

    @property
    @override
    def context(self) -> Context:
        """Its text of the episode."""
        return self._context

    @property
    @override
    def shortened(self) -> int:
        return self.context.shortened

    @override
    def choose(self, valid: Sequence[str]) -> Generator[Ask, Generated, str]:
        functional = self.form.actions is ActionForm.FUNCTIONAL
        spoken = self._language
        shown = [functional_action(action, spoken) if functional else action for action in valid]
        answers = [self._tokenizer.segment(Mark.ACT, text, ended=True) for text in shown]
        ids = (yield from self._ask((Mark.ACT,), OneOf(answers))).ids
        return next(
            (action for action, own in zip(valid, answers, strict=True) if tuple(own) == ids),
            self._tokenizer.read(ids, (Mark.ACT,))[1],
        )

    @override
    def write(self, first: Sequence[Mark]) -> Generator[Ask, Generated, tuple[Mark, str]]:
        answer = yield from self._ask(first)
        mark, text = self._tokenizer.read(answer.ids, first)
        if mark is Mark.ACT and self.form.actions is ActionForm.FUNCTIONAL:
            text = elementary_action(text, self._language)
        return mark, text

    @override
    def draw(self, first: Sequence[Mark]) -> Generator[Ask, Generated, tuple[Mark, str]]:
        answer = yield from self._ask(first, temperature=_DRAWN_AT)
        return self._tokenizer.read(answer.ids, first)

    def likeliest(self, first: Sequence[Mark], count: int) -> list[tuple[str, float]]:
        """Return what it might write now, with the probability of each, the most probable first.

        Args:
            first: The marks that the turn may begin with.
            count: How many.

        Raises:
            EngineFailed: Its engine does not tell.
        """
        starts, stops = self._tokenizer.starts(first), self._tokenizer.stops
        prompt = self.context.prompt(first)
        found: dict[str, float] = {}
        for ids, chance in likeliest(self._engine, prompt, starts, stops, self.form.turn, count):
            text = self._tokenizer.read(ids, first)[1]
            found[text] = found.get(text, 0.0) + chance
        return sorted(found.items(), key=lambda one: -one[1])

    def _ask(
        self,
        first: Sequence[Mark],
        constraint: OneOf | None = None,
        temperature: float = 0.0,
    ) -> Generator[Ask, Generated, Generated]:
        if self._stream is None:
            self._stream = self._engine.open()
        self._stream.replace(self.context.prompt(first))
        self._turns += 1
        answer = yield Ask(
            self._engine,
            Generation(
                stream=self._stream,
                stop=self._tokenizer.stops,
                limit=self.form.turn if constraint is None else 4 * self.form.turn,
                first=self._tokenizer.starts(first),
                constraint=constraint,
                temperature=max(temperature, self._decoding.temperature),
                beams=1 if temperature else self._decoding.beams,
                seed=self._decoding.seed * 100_003 + self._turns,
            ),
            tuple(first),
        )
        if answer.full:
            raise TextTooLong(len(self._stream.ids), self._engine.context)
        return answer

    @override
    def texts(self) -> list[Text]:
        self.context.close()
        return self.context.finished

    @override
    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None
