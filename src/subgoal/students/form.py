"""Which text formats fit which models."""

from subgoal.errors import ConfigInvalid
from subgoal.text.format import RenderingName, TextFormat, Turns


def check_form(form: TextFormat, encoder_decoder: bool, pretrained: bool) -> None:
    """Check that a model can read and write a text format.

    Args:
        form: The text format.
        encoder_decoder: The model reads a question and writes an answer; else it is causal.
        pretrained: It was trained before, and may have a chat template.

    Raises:
        ConfigInvalid: It cannot.
    """
    if encoder_decoder and form.turns is not Turns.WORDS:
        raise ConfigInvalid(
            f"an encoder-decoder student answers in words, but train.dataset.turns = "
            f"'{form.turns}'; set it to 'words'"
        )
    if not encoder_decoder and form.turns is Turns.WORDS:
        raise ConfigInvalid(
            "train.dataset.turns = 'words' is for encoder-decoder students; set it to 'marks', "
            "'chat' or 'messages'"
        )
    if form.turns is Turns.WORDS and form.rendering is not RenderingName.WINDOW:
        raise ConfigInvalid(
            f"train.dataset.turns = 'words' does not go with rendering = '{form.rendering}'; set "
            "that to 'window'"
        )
    if form.turns is Turns.MESSAGES and form.rendering is not RenderingName.TRANSCRIPT:
        raise ConfigInvalid(
            "train.dataset.turns = 'messages' does not go with rendering = "
            f"'{form.rendering}'; set that to 'transcript'"
        )
    if form.turns in {Turns.CHAT, Turns.MESSAGES} and not pretrained:
        raise ConfigInvalid(
            "a student from scratch has no chat template; set train.dataset.turns = 'marks', or "
            "train.student.model"
        )
