import sys
from typing import Any

import ctranslate2
import pytest
import torch
from tokenizers import Tokenizer, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
    set_seed,
)

from subgoal.errors import ConfigInvalid, ExportFailed
from subgoal.students.card import StudentCard
from subgoal.students.export.ctranslate2 import write_ctranslate2
from subgoal.students.export.export import Form, export_student
from subgoal.students.export.gguf import write_gguf
from subgoal.students.export.quantization import Quantization
from subgoal.students.folder import Student, load_student, save_student
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import MarkTokenizer

CARD = StudentCard(
    role=Role.BOTH,
    form=TextFormat(context=64),
    data="0123456789abcdef",
    parameters=1,
    tokens=1,
    loss=1.0,
    dev_loss=None,
    seconds=1.0,
    seed=0,
    trained_on=("errand/fetch/1",),
)
TEXT = "<|task|>It's  12 apples,\tgo to the café!<|room|>kitchen<|act|>"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A student whose heads share keys, and whose weights are large enough to tell apart."""
    set_seed(0)
    tokenizer = MarkTokenizer.train(["pick up the apple", "go to the kitchen"] * 2, 300)
    config = LlamaConfig(
        vocab_size=tokenizer.size,
        hidden_size=64,
        intermediate_size=160,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=tokenizer.pad,
    )
    folder = tmp_path_factory.mktemp("students") / "both"
    save_student(folder, Student(LlamaForCausalLM(config), tokenizer, CARD))
    return folder


@pytest.fixture(scope="module")
def plain(place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain") / "both"
    export_student(place, Form.FOLDER, folder, Quantization.FLOAT32)
    return folder


@pytest.fixture(scope="module")
def prompt(plain):
    return AutoTokenizer.from_pretrained(plain)(TEXT, return_tensors="pt").input_ids


def logits(model, ids):
    with torch.no_grad():
        return model.eval()(ids).logits


def test_plain_transformers_loads_a_folder(place, plain, prompt):
    student = load_student(place)
    model = AutoModelForCausalLM.from_pretrained(plain)
    assert torch.equal(logits(model, prompt), logits(student.model, prompt))
    tokenizer = AutoTokenizer.from_pretrained(plain)
    assert tokenizer.eos_token_id in student.tokenizer.stops
    assert tokenizer.pad_token_id == student.tokenizer.pad
    assert tokenizer.decode(prompt[0]) == TEXT
    assert load_student(plain, Role.BOTH).card == CARD
    assert (plain / "README.md").read_text().startswith("---\nlicense")


def test_a_folder_in_half_the_bytes(place, plain, tmp_path):
    export_student(place, Form.FOLDER, tmp_path / "half", Quantization.BFLOAT16)
    small, large = ((f / "model.safetensors").stat().st_size for f in (tmp_path / "half", plain))
    assert small < 0.6 * large
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "half").dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("quantization", "most"),
    [("float32", 1e-4), ("float16", 0.05), ("bfloat16", 0.5), ("int8", 2.0)],
)
def test_a_gguf_file_is_the_same_model(quantization, most, place, plain, prompt, tmp_path):
    export_student(place, Form.GGUF, tmp_path / "both.gguf", Quantization(quantization))
    assert [path.name for path in tmp_path.iterdir()] == ["both.gguf"]
    again = AutoModelForCausalLM.from_pretrained(
        tmp_path, gguf_file="both.gguf", dtype=torch.float32
    )
    expected = logits(AutoModelForCausalLM.from_pretrained(plain), prompt)
    assert expected.std() > 1
    assert (logits(again, prompt) - expected).abs().max() < most
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, gguf_file="both.gguf")
    assert tokenizer(TEXT).input_ids == prompt[0].tolist()
    assert tokenizer.eos_token == "<|end|>"


def test_ctranslate2_writes_the_same_tokens(place, plain, prompt, tmp_path):
    export_student(place, Form.CTRANSLATE2, tmp_path / "ct2", Quantization.FLOAT32)
    model: Any = AutoModelForCausalLM.from_pretrained(plain)
    expected = model.generate(prompt, max_new_tokens=20, do_sample=False)[0, prompt.shape[1] :]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "ct2")
    found = ctranslate2.Generator(str(tmp_path / "ct2"), intra_threads=1).generate_batch(
        [tokenizer.convert_ids_to_tokens(prompt[0])],
        max_length=20,
        include_prompt_in_result=False,
        end_token=[],
    )
    assert found[0].sequences_ids[0] == expected.tolist()
    assert (tmp_path / "ct2" / "student.json").is_file()


def test_ctranslate2_runs_an_encoder_decoder(plain, prompt, tmp_path):
    set_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(plain)
    shape: dict[str, Any] = {"d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 2}
    starts = {"decoder_start_token_id": tokenizer.pad_token_id, "tie_word_embeddings": False}
    config = T5Config(
        **shape,
        **starts,
        num_heads=4,
        vocab_size=len(tokenizer),
        feed_forward_proj="gated-gelu",
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_factor=3.0,
    )
    model: Any = T5ForConditionalGeneration(config).eval()
    model.save_pretrained(tmp_path / "t5")
    tokenizer.save_pretrained(tmp_path / "t5")
    write_ctranslate2(tmp_path / "t5", tmp_path / "ct2", Quantization.FLOAT32)
    expected = model.generate(prompt, max_new_tokens=12, do_sample=False)[0, 1:].tolist()
    found = ctranslate2.Translator(str(tmp_path / "ct2"), intra_threads=1).translate_batch(
        [tokenizer.convert_ids_to_tokens(prompt[0])],
        beam_size=1,
        max_decoding_length=12,
    )
    written = tokenizer.convert_tokens_to_ids(found[0].hypotheses[0])
    assert len(set(written)) > 3
    assert written == [number for number in expected if number != tokenizer.eos_token_id]


def test_int8_is_smaller(place, plain, tmp_path):
    export_student(place, Form.CTRANSLATE2, tmp_path / "ct2", Quantization.INT8)
    size = (tmp_path / "ct2" / "model.bin").stat().st_size
    assert size < 0.6 * (plain / "model.safetensors").stat().st_size


def test_nothing_is_overwritten(place, tmp_path):
    (tmp_path / "mine").write_text("precious")
    for out in (tmp_path, tmp_path / "mine"):
        with pytest.raises(ExportFailed, match="is there already"):
            export_student(place, Form.FOLDER, out, Quantization.FLOAT32)
    assert (tmp_path / "mine").read_text() == "precious"


def test_a_folder_has_no_int8(place, tmp_path):
    with pytest.raises(ConfigInvalid, match="choose --quantization bfloat16"):
        export_student(place, Form.FOLDER, tmp_path / "new", Quantization.INT8)


@pytest.mark.parametrize("package", ["gguf", "ctranslate2"])
def test_a_missing_package_names_the_extra(package, place, tmp_path, monkeypatch):
    for name in (package, f"{package}.converters"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ExportFailed, match=rf"'{package}' is not .*'subgoal\[export\]'"):
        export_student(place, Form(package), tmp_path / "new", Quantization.FLOAT32)
    assert not list(tmp_path.iterdir())


def test_gguf_of_another_architecture(tmp_path):
    config = Qwen2Config(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    Qwen2ForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(ExportFailed, match="a model of type qwen2; only Llama-type"):
        write_gguf(tmp_path, tmp_path / "new.gguf", Quantization.FLOAT32)


def test_ctranslate2_of_another_architecture(plain, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "olmo2"}')
    with pytest.raises(ExportFailed, match="cannot be converted for CTranslate2"):
        write_ctranslate2(tmp_path, tmp_path / "new", Quantization.FLOAT32)


def test_gguf_of_another_tokenizer(place, plain, tmp_path):
    LlamaForCausalLM.from_pretrained(plain).save_pretrained(tmp_path)
    tokenizer = Tokenizer.from_file(str(plain / "tokenizer.json"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ExportFailed, match="splits text in a way"):
        write_gguf(tmp_path, tmp_path / "new.gguf", Quantization.FLOAT32)
    assert not list(tmp_path.glob("*gguf*"))
