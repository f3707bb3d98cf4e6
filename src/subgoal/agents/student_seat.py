"""A student at play: its text of the episode, and the stream that holds it computed."""

from collections.abc import Generator, Sequence

from subgoal.agents.agent import Ask
from subgoal.datasets.context import make_context
from subgoal.datasets.functional_action import elementary_action
from subgoal.datasets.rendering import ActionForm, Role, TextFormat
from subgoal.datasets.tokenizer import Mark, StudentTokenizer
from subgoal.errors import EngineFailed
from subgoal.language_models.engine import Engine, Generated, Generation, Stream
from subgoal.language_models.engine_config import EngineConfig, EngineName
from subgoal.record import Record


class Decoding(Record):
    """How students write."""

    temperature: float = 0.0
    """0 is greedy."""
    beams: int = 1
    """Beam search width; above 1, the temperature must be 0."""
    seed: int = 0
    """Seed of the sampling."""


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
    if decoding.beams > 1 and engine.engine is EngineName.OPENAI:
        raise EngineFailed(
            "engine 'openai' has no beams; set decoding.beams = 1, or another engine"
        )


class StudentSeat:
    """One student in one episode.

    Args:
        engine: Its model.
        tokenizer: Its tokenizer.
        form: The text format it was trained on.
        role: What it was trained for.
        decoding: How it writes.

    Attributes:
        context: Its text of the episode.
        form: As given.
    """

    def __init__(
        self,
        engine: Engine,
        tokenizer: StudentTokenizer,
        form: TextFormat,
        role: Role,
        decoding: Decoding,
    ) -> None:
        self.context = make_context(tokenizer, form, role)
        self.form = form
        self._engine, self._tokenizer, self._decoding = engine, tokenizer, decoding
        self._stream: Stream | None = None
        self._turns = 0

    @property
    def shortened(self) -> int:
        """How many of its texts were too long and were shortened."""
        return self.context.shortened

    @property
    def free(self) -> bool:
        """Whether nothing keeps the student from ending a sub-goal, wherever it is asked."""
        return not self._tokenizer.starts((Mark.ACT,))

    def write(self, first: Sequence[Mark]) -> Generator[Ask, Generated, tuple[Mark, str]]:
        """Let the student write a turn that begins with one of the marks.

        Returns:
            The mark that it chose, and the text after it (empty for `done` and `complete`).
        """
        if self._stream is None:
            self._stream = self._engine.open()
        self._stream.replace(self.context.prompt(first))
        self._turns += 1
        answer = yield Ask(
            self._engine,
            Generation(
                stream=self._stream,
                stop=self._tokenizer.stops,
                limit=self.form.turn,
                first=self._tokenizer.starts(first),
                temperature=self._decoding.temperature,
                beams=self._decoding.beams,
                seed=self._decoding.seed * 100_003 + self._turns,
            ),
        )
        mark, text = self._tokenizer.read(answer.ids, first)
        if mark is Mark.ACT and self.form.actions is ActionForm.FUNCTIONAL:
            text = elementary_action(text)
        return mark, text

    def close(self) -> None:
        """Free the stream."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
