"""Which context builds a student's text."""

from subgoal.datasets.rendering import Context, Role, TextFormat
from subgoal.datasets.tokenizer import StudentTokenizer
from subgoal.datasets.transcript import Transcript


def make_context(tokenizer: StudentTokenizer, form: TextFormat, role: Role) -> Context:
    """Make the empty context of one student in one episode.

    Args:
        tokenizer: Gives ids to segments.
        form: How the episode becomes text.
        role: Whose text it is.
    """
    return Transcript(tokenizer, form.rendering, role, form.context)
