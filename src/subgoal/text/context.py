"""Which context builds a student's text."""

from subgoal.environments.language import WorldLanguage
from subgoal.errors import ConfigInvalid
from subgoal.text.format import (
    ActionForm,
    Asked,
    Context,
    RenderingName,
    Role,
    TextFormat,
    Turns,
)
from subgoal.text.tokenizers.marks import StudentTokenizer
from subgoal.text.transcript import Transcript
from subgoal.text.window import Window


def make_context(
    tokenizer: StudentTokenizer, form: TextFormat, role: Role, language: WorldLanguage
) -> Context:
    """Make the empty context of one student in one episode.

    Args:
        tokenizer: Gives ids to segments.
        form: How the episode becomes text.
        role: Whose text it is.
        language: The words of the episode's world.

    Raises:
        ConfigInvalid: The role needs another rendering.
    """
    if form.rendering is RenderingName.WINDOW:
        return Window(tokenizer, form, role, language)
    wanted = {
        "the role 'first'": role is Role.FIRST,
        f"train.dataset.planner_asked = '{Asked.EVERY_STEP}'": form.planner_asked
        is not Asked.AT_END,
        f"train.dataset.actions = '{ActionForm.FUNCTIONAL}'": form.actions
        is not ActionForm.ELEMENTARY,
    }
    for name, is_so in wanted.items():
        if is_so:
            raise ConfigInvalid(f"{name} needs train.dataset.rendering = 'window'")
    if form.turns is Turns.MESSAGES:
        from subgoal.text.messages import MessageTranscript

        return MessageTranscript(tokenizer, form, role)
    return Transcript(tokenizer, form, role)
