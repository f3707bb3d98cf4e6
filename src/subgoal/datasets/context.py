"""Which context builds a student's text."""

from subgoal.datasets.rendering import Context, RenderingName, Role, TextFormat
from subgoal.datasets.tokenizer import StudentTokenizer
from subgoal.datasets.transcript import Transcript
from subgoal.datasets.window import Window
from subgoal.errors import ConfigInvalid


def make_context(tokenizer: StudentTokenizer, form: TextFormat, role: Role) -> Context:
    """Make the empty context of one student in one episode.

    Args:
        tokenizer: Gives ids to segments.
        form: How the episode becomes text.
        role: Whose text it is.

    Raises:
        ConfigInvalid: The role needs another rendering.
    """
    if form.rendering is RenderingName.WINDOW:
        return Window(tokenizer, form, role)
    if role is Role.FIRST:
        raise ConfigInvalid("the role 'first' needs train.dataset.rendering = 'window'")
    return Transcript(tokenizer, form.rendering, role, form.context)
