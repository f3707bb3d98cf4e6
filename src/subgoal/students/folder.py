"""Student folders: what training leaves behind and agents load.

    students/both/
      model.safetensors, config.json   plain transformers loads them; large models in shards
      tokenizer.json, ...              `AutoTokenizer` loads it, plain tokenizers too
      adapter/                         LoRA's matrices alone; peft loads them onto the base model
      student.json                     the card: role, rendering, what it was trained on
      digests.json                     SHA-256 of all of them, checked when they are loaded
      README.md                        the same for people and for the hub

A student trained with LoRA has its matrices merged into the weights, so that nothing but
transformers is needed to play. A folder is written under a temporary name and renamed, so it is
whole or not there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from subgoal.errors import StudentInvalid, said_by
from subgoal.storage.digests import check_digests, write_digests
from subgoal.storage.whole_folder import write_folder
from subgoal.students.card import CARD, REMEDY, StudentCard, needed, read_card, weights_file
from subgoal.students.model_files import Origin, check_model_folder
from subgoal.students.plain_llama import read_plain_llama
from subgoal.text.format import Role, Turns
from subgoal.text.tokenizers.chat import ChatTokenizer
from subgoal.text.tokenizers.marks import MarkTokenizer, StudentTokenizer

ADAPTER = "adapter"
"""The folder of LoRA's matrices in a student's."""
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_pieces.json",
)
"""The files of a tokenizer, as far as they are there."""


@dataclass(frozen=True)
class Student:
    """A trained model with all that is needed to play."""

    model: Any
    """A model of transformers, after training with LoRA one of peft around it, or, to play, a
    `PlainLlama`."""
    tokenizer: StudentTokenizer
    card: StudentCard


def save_student(folder: Path, student: Student) -> None:
    """Write a student's folder; plain transformers can load the model from it.

    LoRA's matrices are written apart and then merged into the weights of `student.model`.
    """
    from subgoal.students.model_card import model_card

    def fill(place: Path) -> None:
        model = student.model
        if hasattr(model, "merge_and_unload"):
            model.save_pretrained(place / ADAPTER, save_embedding_layers=False)
            model = model.merge_and_unload()
        model.save_pretrained(place)
        student.tokenizer.save(place)
        (place / CARD).write_text(student.card.model_dump_json(indent=2) + "\n")
        text = model_card(student.card, model.config)
        (place / "README.md").write_text(text, encoding="utf-8")
        write_digests(place)

    write_folder(folder, fill)


def load_student(
    folder: Path,
    role: Role | None = None,
    dtype: torch.dtype = torch.float32,
    to_play: bool = False,
) -> Student:
    """Load a student.

    Args:
        folder: Where `save_student` wrote it.
        role: What it must have been trained for; None: anything.
        dtype: What its weights are held in.
        to_play: Without transformers where that can be: the model is then a `PlainLlama`.

    Raises:
        StudentInvalid: The folder is missing or damaged, its parts do not fit each other, or it
            was trained for another role.
    """
    card = read_card(folder, role)
    for name in ("config.json", "tokenizer.json"):
        needed(folder, name)
    weights_file(folder)
    check_digests(folder, StudentInvalid, REMEDY)
    check_model_folder(folder, Origin.OURS)
    plain = read_plain_llama(folder, card.form, dtype) if to_play else None
    model: Any = plain or _load_model(folder, card, dtype)
    tokenizer = load_tokenizer(folder, card.form.turns)
    rows = plain.config.vocab_size if plain else model.get_input_embeddings().weight.shape[0]
    if tokenizer.size != (card.vocabulary or rows) or tokenizer.size > rows:
        raise StudentInvalid(
            f"{folder}: the tokenizer has {tokenizer.size} tokens but the model "
            f"{card.vocabulary or rows}; they are of different students"
        )
    if (last := max(tokenizer.numbers())) >= rows:
        raise StudentInvalid(
            f"{folder} is damaged (tokenizer.json: id {last} is past the model's {rows} tokens); "
            "train it again"
        )
    return Student(model, tokenizer, card)


def load_tokenizer(folder: Path, turns: Turns) -> StudentTokenizer:
    """Load a student's tokenizer.

    Args:
        folder: Where it was saved.
        turns: How it tells turns apart.

    Raises:
        StudentInvalid: It is missing, damaged, or of another kind.
    """
    check_model_folder(folder, Origin.OURS)
    check_digests(folder, StudentInvalid, REMEDY, _TOKENIZER)
    try:
        return _tokenizer(folder, turns)
    except StudentInvalid:
        raise
    except Exception as error:  # what odd files lead to
        raise StudentInvalid(f"{folder} is no tokenizer: {error}") from error


def _tokenizer(folder: Path, turns: Turns) -> StudentTokenizer:
    match turns:
        case Turns.MARKS:
            return MarkTokenizer.load(folder)
        case Turns.CHAT:
            return ChatTokenizer.load(folder)
        case Turns.MESSAGES:
            from subgoal.text.tokenizers.messages import MessageTokenizer

            return MessageTokenizer.load(folder)
        case Turns.WORDS:
            from subgoal.text.tokenizers.words import WordTokenizer

            return WordTokenizer.load(folder)


def _load_model(folder: Path, card: StudentCard, dtype: torch.dtype) -> Any:
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    from subgoal.students.model_shape import check_sound, checked_config

    config = checked_config(folder)
    if config.is_encoder_decoder != (card.form.turns is Turns.WORDS):
        raise StudentInvalid(
            f"{folder}: config.json is of another architecture ({config.model_type}) than the "
            f"student reads (turns = '{card.form.turns}'); they are of different students"
        )
    places = getattr(config.get_text_config(), "max_position_embeddings", None)
    if places is not None and places < card.form.context:
        raise StudentInvalid(
            f"{folder} is damaged (config.json: max_position_embeddings = {places} is less than "
            f"the {card.form.context} tokens of the student's texts); {REMEDY}"
        )
    auto = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    try:
        model, report = cast(
            "tuple[Any, dict[str, Any]]",
            auto.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=dtype,
                output_loading_info=True,
            ),
        )
    except Exception as error:  # the library raises what it likes
        raise StudentInvalid(f"{folder} is damaged ({said_by(error)}); {REMEDY}") from error
    wrong = sorted(map(str, (*report["missing_keys"], *report["mismatched_keys"])))
    if wrong:
        raise StudentInvalid(
            f"{folder} is damaged (its weights have no fitting {wrong[0]}); {REMEDY}"
        )
    check_sound(folder, model.eval())
    return model
