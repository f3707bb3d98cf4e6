"""Which model a student is: pretrained, or small and from scratch; all weights, or LoRA."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)

from subgoal.errors import ConfigInvalid, StudentInvalid, install
from subgoal.students.card import CARD, read_card
from subgoal.students.config import Size, StudentConfig, Weights
from subgoal.students.form import check_form
from subgoal.students.growth import grow
from subgoal.students.pretrained import Pretrained, find_pretrained
from subgoal.text.format import TextFormat, Turns
from subgoal.text.tokenizers.marks import MarkTokenizer, StudentTokenizer


class Shape(NamedTuple):
    """Layers, width, heads and the feed-forward layer's width."""

    layers: int
    width: int
    heads: int
    inner: int


SHAPES = {
    Size.NANO: Shape(4, 128, 2, 352),
    Size.MICRO: Shape(6, 256, 4, 704),
    Size.SMALL: Shape(8, 512, 8, 1408),
}
"""The shape of each size; heads 64 wide, which a CPU computes faster than more of 32."""


_LORA_ALPHA = 16
"""What LoRA's matrices add is scaled by this, divided by the rank."""


class Tokens(NamedTuple):
    """The tokens of a student that is to be trained.

    Attributes:
        tokenizer: Its tokenizer.
        new: Ids that a pretrained model does not know yet.
    """

    tokenizer: StudentTokenizer
    new: tuple[int, ...] = ()


def make_tokens(
    config: StudentConfig, form: TextFormat, texts: Iterable[str], vocabulary: int
) -> Tokens:
    """Load the tokenizer of a pretrained student, or train one.

    Args:
        config: Which model.
        form: The text format that it will read.
        texts: What the tokenizer of a student from scratch should know.
        vocabulary: Tokens of that tokenizer, at most.

    Raises:
        ConfigInvalid: The settings do not go together.
        StudentInvalid: The pretrained model cannot be had, or does not fit the text format.
    """
    if config.model:
        _check_pretrained(config, form)
        return Tokens(*find_pretrained(config.model).tokenizer(form.turns))
    if config.lora_rank or config.weights is not Weights.FLOAT32:
        raise ConfigInvalid(
            "train.student.lora_rank and train.student.weights are for pretrained models; set "
            "train.student.model, or leave them out"
        )
    check_form(form, form.turns is Turns.WORDS, pretrained=False)
    if form.turns is Turns.WORDS:
        from subgoal.text.tokenizers.words import WordTokenizer

        return Tokens(WordTokenizer.train(texts, vocabulary))
    return Tokens(MarkTokenizer.train(texts, vocabulary))


def make_model(config: StudentConfig, form: TextFormat, tokens: Tokens) -> Any:
    """Make the model of a student that is to be trained.

    Args:
        config: Which model.
        form: The text format that it will read.
        tokens: What `make_tokens` returned.

    Returns:
        A model of transformers, or one of peft around it.

    Raises:
        ConfigInvalid: LoRA names no layers, or peft is missing.
        StudentInvalid: The pretrained model cannot be had.
    """
    if config.model:
        return _adapted(config, tokens)
    if form.turns is Turns.WORDS:
        return make_t5(config, tokens.tokenizer)
    return make_student(config, tokens.tokenizer.size, tokens.tokenizer.pad, form.context)


def make_student(
    config: StudentConfig, vocabulary: int, pad: int, context: int
) -> LlamaForCausalLM:
    """Make a Llama with fresh weights.

    Args:
        config: Size, layers and seed.
        vocabulary: Number of tokens.
        pad: Id of the padding token.
        context: Most tokens of a text; the positions go to twice as many.
    """
    shape = SHAPES[config.size]
    set_seed(config.seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=shape.width,
            intermediate_size=shape.inner,
            num_hidden_layers=config.layers or shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.heads,
            max_position_embeddings=2 * context,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=pad,
        )
    )


def make_t5(config: StudentConfig, tokenizer: StudentTokenizer) -> T5ForConditionalGeneration:
    """Make a T5 v1.1 with fresh weights: gated GELU, an output layer of its own, no dropout.

    Args:
        config: Size, layers (of encoder and decoder each) and seed.
        tokenizer: Its tokenizer, which ends what it writes with one id.
    """
    shape = SHAPES[config.size]
    set_seed(config.seed)
    settings: dict[str, Any] = {
        "tie_word_embeddings": False,
        "decoder_start_token_id": tokenizer.pad,
        "pad_token_id": tokenizer.pad,
        "eos_token_id": min(tokenizer.stops),
    }
    model = T5ForConditionalGeneration(
        T5Config(
            vocab_size=tokenizer.size,
            d_model=shape.width,
            d_kv=shape.width // shape.heads,
            d_ff=shape.inner,
            num_layers=config.layers or shape.layers,
            num_decoder_layers=config.layers or shape.layers,
            num_heads=shape.heads,
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
            **settings,
        )
    )
    # transformers 5 ties it to the embedding whatever the configuration says
    head = torch.empty(tokenizer.size, shape.width).normal_(std=shape.width**-0.5)
    cast("Any", model).lm_head.weight = torch.nn.Parameter(head)
    return model


def _check_pretrained(config: StudentConfig, form: TextFormat) -> None:
    if config.weights is Weights.BFLOAT16 and not config.lora_rank:
        raise ConfigInvalid(
            "train.student.weights = 'bfloat16' is too coarse for weights that learn; set "
            "train.student.lora_rank, or weights = 'float32'"
        )
    base = find_pretrained(config.model)
    _check_card(base, form)
    shape = base.config()
    check_form(form, shape.is_encoder_decoder, pretrained=True)
    positions = getattr(shape.get_text_config(), "max_position_embeddings", None)
    if positions is not None and form.context > positions:
        raise ConfigInvalid(
            f"train.dataset.context = {form.context} is more than the {positions} positions of "
            f"{config.model}; lower it"
        )


def _adapted(config: StudentConfig, tokens: Tokens) -> Any:
    """Load a pretrained model, teach it the marks, and put LoRA's matrices beside its weights."""
    base = find_pretrained(config.model)
    pairs = base.config().is_encoder_decoder
    dtype = torch.bfloat16 if config.weights is Weights.BFLOAT16 else torch.float32
    model = base.model(pairs, dtype)
    if config.layers:
        grow(model, config.layers)
    _make_room(model, tokens.tokenizer.size, tokens.new)
    if not pairs:
        model.config.pad_token_id = tokens.tokenizer.pad
        if model.generation_config is not None:
            model.generation_config.pad_token_id = tokens.tokenizer.pad
    set_seed(config.seed)
    return _with_lora(model, config, tokens.new) if config.lora_rank else model


def _check_card(base: Pretrained, form: TextFormat) -> None:
    """Refuse a student's folder of another text format: it would have to unlearn it."""
    folder = Path(base.place)
    if not (folder / CARD).is_file():
        return
    theirs = read_card(folder).form
    for name in ("rendering", "turns"):
        was, asked = getattr(theirs, name), getattr(form, name)
        if was != asked:
            raise StudentInvalid(
                f"train.student.model = {base.name!r} is a student that reads {name} = '{was}', "
                f"but train.dataset.{name} = '{asked}'; set it to '{was}', or choose another model"
            )


def _make_room(model: PreTrainedModel, size: int, new: Sequence[int]) -> None:
    """Give new tokens a row each, the mean of the others."""
    rows = cast("torch.Tensor", model.get_input_embeddings().weight).shape[0]
    if size > rows:
        model.resize_token_embeddings(size, mean_resizing=False)
    tables = [model.get_input_embeddings(), model.get_output_embeddings()]
    with torch.no_grad():
        for table in tables if new else ():
            if table is not None:
                weight = cast("torch.Tensor", table.weight)
                weight[list(new)] = weight[: min(new)].float().mean(0).to(weight.dtype)


def _with_lora(model: PreTrainedModel, config: StudentConfig, new: Sequence[int]) -> Any:
    try:
        import peft
    except ImportError as error:
        raise ConfigInvalid(f"train.student.lora_rank: {install('peft', 'lora')}") from error
    tables = (model.get_input_embeddings(), model.get_output_embeddings())
    names = [name for name, part in model.named_modules() if any(part is t for t in tables)]
    kind = "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"
    settings = peft.LoraConfig(
        r=config.lora_rank,
        lora_alpha=_LORA_ALPHA,
        target_modules="all-linear",
        trainable_token_indices={name: list(new) for name in names} if new else None,
        task_type=kind,
    )
    with warnings.catch_warnings():
        # peft asks the model in ways that newer versions of transformers call by other names
        warnings.simplefilter("ignore", FutureWarning)
        try:
            adapted = peft.get_peft_model(model, settings)
        except ValueError as error:
            raise ConfigInvalid(
                f"train.student.lora_rank: {config.model} has no linear layers that peft knows; "
                "leave it out"
            ) from error
    adapted.peft_config["default"].base_model_name_or_path = config.model
    return adapted
