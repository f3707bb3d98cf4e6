"""A student's folder that somebody else made: whole and plain data, or refused by name."""

import json
import random
import shutil
import struct

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from subgoal.agents.student_engine import room
from subgoal.engines.base import Generation
from subgoal.engines.transformers import make_engine
from subgoal.errors import StudentInvalid
from subgoal.storage.digests import DIGESTS, write_digests
from subgoal.students.card import StudentCard, read_card
from subgoal.students.folder import Student, load_student, load_tokenizer, save_student
from subgoal.text.format import RenderingName, Role, TextFormat, Turns
from subgoal.text.tokenizers.marks import MarkTokenizer
from subgoal.text.tokenizers.words import WordTokenizer

CONTEXT = 64
ODD = [
    0, -1, 1, 3, 7, 10**4, 10**9, 10**13, 10**30, 0.5, -1.5, 1e300, float("nan"), float("inf"),
    "", "big", "kernels-community/flash-attn", None, True, False, [], [1], [10**12], {}, {"a": 1},
]  # fmt: skip


def made(kind):
    """A tiny student."""
    torch.manual_seed(0)
    pairs = kind == "t5"
    tokenizer = (WordTokenizer if pairs else MarkTokenizer).train(["pick up the apple"], 300)
    if pairs:
        config = T5Config(
            vocab_size=tokenizer.size, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2,
            feed_forward_proj="gated-gelu",
            pad_token_id=tokenizer.pad, eos_token_id=min(tokenizer.stops),
        )  # fmt: skip
        config.decoder_start_token_id = tokenizer.pad
        model = T5ForConditionalGeneration(config)
    else:
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=tokenizer.size, hidden_size=16, intermediate_size=24,
                num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
                max_position_embeddings=2 * CONTEXT, tie_word_embeddings=True,
                pad_token_id=tokenizer.pad,
            )
        )  # fmt: skip
    windows = {"turns": Turns.WORDS, "rendering": RenderingName.WINDOW} if pairs else {}
    card = StudentCard(
        role=Role.BOTH,
        form=TextFormat.model_validate({"context": CONTEXT, **windows}),
        data="0123456789abcdef",
        parameters=1,
        tokens=1,
        loss=1.0,
        dev_loss=None,
        seconds=1.0,
        seed=0,
        trained_on=("errand/fetch/1",),
    )
    return Student(model.eval(), tokenizer, card)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    place = tmp_path_factory.mktemp("students")
    for kind in ("llama", "t5"):
        save_student(place / kind, made(kind))
    return place


@pytest.fixture
def copy(folders, tmp_path):
    """Copies a student's folder; as one of before, without digests, unless they are to stay."""

    def copied(kind="llama", digests=False):
        folder = shutil.copytree(folders / kind, tmp_path / kind, dirs_exist_ok=True)
        if not digests:
            (folder / DIGESTS).unlink()
        return folder

    return copied


def changed(folder, name="config.json", **values):
    table = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(table | values))


def plays(student):
    """Let a student write; its ids."""
    engine = make_engine(student.model, room(student.card))
    asks = []
    for temperature in (0.0, 1.0):
        stream = engine.open()
        stream.extend([4, 5, 6])
        asks.append(Generation(stream, student.tokenizer.stops, 4, temperature=temperature))
    answers = engine.generate(asks)
    assert all(answer.ids for answer in answers)
    return answers[0].ids


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_flipped_bit_anywhere_is_named(kind, copy):
    folder, chance = copy(kind, digests=True), random.Random(0)
    names = sorted(file.name for file in folder.iterdir() if file.name != "README.md")
    assert {"student.json", "config.json", "model.safetensors", "tokenizer.json"} < set(names)
    for name in names:
        whole = (folder / name).read_bytes()
        for at in [0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(3))]:
            flipped = bytearray(whole)
            flipped[at] ^= 1 << chance.randrange(8)
            (folder / name).write_bytes(flipped)
            with pytest.raises(StudentInvalid) as caught:
                load_student(folder)
            # a flip in the list itself may make any file differ from it
            assert name == DIGESTS or name in str(caught.value)
        (folder / name).write_bytes(whole)
    load_student(folder)


def test_cards_and_tokenizers_are_checked_alone_too(copy):
    folder = copy(digests=True)
    for name, load in (
        ("student.json", lambda: read_card(folder)),
        ("tokenizer.json", lambda: load_tokenizer(folder, Turns.MARKS)),
    ):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole + b"\n")
        with pytest.raises(StudentInvalid, match=name):
            load()
        (folder / name).write_bytes(whole)
        load()


def test_a_file_that_was_added_or_taken_away_is_named(copy):
    folder = copy(digests=True)
    (folder / "README.md").write_text("mine")
    (folder / ".gitattributes").write_text("a hub's")
    load_student(folder)
    (folder / "chat_template.jinja").write_text("hello")
    with pytest.raises(StudentInvalid, match=r"chat_template\.jinja was added"):
        load_student(folder)
    (folder / "chat_template.jinja").unlink()
    (folder / "generation_config.json").unlink()
    with pytest.raises(StudentInvalid, match=r"generation_config\.json is missing"):
        load_student(folder)


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_a_folder_of_before_loads_without_digests(kind, copy):
    assert plays(load_student(copy(kind))) == plays(load_student(copy(kind, digests=True)))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(value, copy):
    folder = copy()
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][3, 2] = value
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    write_digests(folder)
    with pytest.raises(StudentInvalid, match=r"layers\.0\.mlp\.up_proj"):
        load_student(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_that_names_code_is_refused(name, deep, copy, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("it asks to run code"))
    folder = copy()
    named = {"auto_map": {"AutoModelForCausalLM": "evil.Evil", "AutoTokenizer": ["evil.E", None]}}
    changed(folder, name, **({"text_config": named} if deep else named))
    (folder / "evil.py").write_text("raise SystemExit('run')")
    with pytest.raises(StudentInvalid, match=rf"{name} .*auto_map"):
        load_student(folder)
    with pytest.raises(StudentInvalid, match=rf"{name} .*auto_map"):
        load_tokenizer(folder, Turns.MARKS)


@pytest.mark.parametrize(
    "values",
    [
        {"attn_implementation": "kernels-community/flash-attn"},
        {"_attn_implementation": "somebody/kernel@main:attend"},
        {"_attn_implementation_internal": {"": "paged|somebody/kernel"}},
        {"text_config": {"attn_implementation": "somebody/kernel"}},
        {"attn_implementation": 7},
        {"quantization_config": {"quant_method": "torchao"}},
    ],
    ids=str,
)
def test_an_attention_that_is_fetched_is_refused(values, copy):
    folder = copy()
    changed(folder, **values)
    with pytest.raises(StudentInvalid, match="is not loaded"):
        load_student(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "a.pkl", "adapter_config.json"])
@pytest.mark.parametrize("alone", [False, True])
def test_pickles_and_adapters_are_refused_by_name(name, alone, copy):
    folder = copy()
    (folder / name).write_bytes(b"{}")
    if alone:
        (folder / "model.safetensors").rename(folder.parent / "elsewhere")
    with pytest.raises(StudentInvalid, match=r"model\.safetensors" if alone else name):
        load_student(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.json", "model.safetensors", "chat_template.jinja"]
)
def test_a_link_out_of_the_folder_is_refused(name, copy, tmp_path):
    folder, elsewhere = copy(), tmp_path / "secret"
    elsewhere.write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"secret")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(elsewhere)
    with pytest.raises(StudentInvalid, match=rf"{name} lies outside"):
        load_student(folder)


def test_an_index_that_names_a_file_elsewhere_is_refused(copy):
    folder = copy()
    (folder / "model.safetensors").rename(folder.parent / "victim.safetensors")
    index = folder / "model.safetensors.index.json"
    for name in ("../victim.safetensors", str(folder.parent / "victim.safetensors")):
        index.write_text(json.dumps({"metadata": {}, "weight_map": {"model.norm.weight": name}}))
        with pytest.raises(StudentInvalid, match="outside"):
            load_student(folder)
    for odd in ({}, [], {"weight_map": 3}, {"weight_map": {"a": 7}}, {"weight_map": {"a": "b"}}):
        index.write_text(json.dumps(odd))
        with pytest.raises(StudentInvalid):
            load_student(folder)
    for name in ("a\0b", "a" * 5000, "\ud800"):
        index.write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(StudentInvalid):
            load_student(folder)
    for damaged in (b"[" * 10**6, b'{"weight_map": "\xff"}', b"{", b""):
        index.write_bytes(damaged)
        with pytest.raises(StudentInvalid, match=index.name):
            load_student(folder)


@pytest.mark.parametrize("key", ["tokenizer_file", "vocab_file", "fast_tokenizer_files"])
def test_a_tokenizer_that_names_a_file_elsewhere_is_refused(key, copy):
    folder = copy("t5")
    value = ["../tokenizer.json"] if key.endswith("s") else "/etc/passwd"
    changed(folder, "tokenizer_config.json", **{key: value})
    with pytest.raises(StudentInvalid, match=key):
        load_student(folder)


@pytest.mark.parametrize(
    "name", ["config.json", "student.json", "tokenizer.json", "tokenizer_config.json"]
)
@pytest.mark.parametrize("text", ["[" * 10**6, '{"a":' * 10**6, "", "3", "[]", "null", '"text"'])
def test_json_of_another_shape_is_named(name, text, copy):
    folder = copy()
    (folder / name).write_text(text)
    if name == "tokenizer_config.json" and text in {"3", "[]", "null", '"text"'}:
        load_student(folder)  # only other programs read it
        return
    with pytest.raises(StudentInvalid, match=name):
        load_student(folder)


def headers(shape, offsets, dtype="F32"):
    table = {"model.norm.weight": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}
    text = json.dumps(table).encode()
    return struct.pack("<Q", len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 2**40),
        headers([2**40, 2**40], [0, 64]) + bytes(64),
        headers([16], [0, 2**40]) + bytes(64),
        headers([16], [64, 0]) + bytes(64),
        headers([16], [0, 64]),
        headers([-16], [0, 64]) + bytes(64),
        headers([16], [0, 64], "F99") + bytes(64),
        headers([2**31], [0, 64]) + bytes(64),
        struct.pack("<Q", 10**6) + b"[" * 10**6,
        headers([16], [0, 64]) + bytes(64),
    ],
    ids=range(12),
)
def test_a_header_that_lies_is_one_sentence(data, copy):
    folder = copy()
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(StudentInvalid):
        load_student(folder)


def test_a_tokenizer_with_ids_past_the_model_is_refused(copy):
    folder = copy()
    table = json.loads((folder / "tokenizer.json").read_text())
    word = max(table["model"]["vocab"], key=table["model"]["vocab"].get)
    table["model"]["vocab"][word] = 5_000_000
    (folder / "tokenizer.json").write_text(json.dumps(table))
    with pytest.raises(StudentInvalid, match=r"tokenizer\.json"):
        load_student(folder)


KEYS = {
    kind: sorted(
        {
            **json.loads(made(kind).model.config.to_json_string(use_diff=False)),
            "rope_scaling": None,
            "rope_theta": None,
        }
    )
    for kind in ("llama", "t5")
}


@pytest.mark.parametrize("kind", ["llama", "t5"])
@settings(
    max_examples=30,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_odd_value_is_refused_or_plays(kind, data, copy):
    folder = copy(kind)
    table = json.loads((folder / "config.json").read_text())
    for key in data.draw(st.lists(st.sampled_from(KEYS[kind]), min_size=1, max_size=2)):
        if key in table and data.draw(st.integers(0, 5)) == 0:
            del table[key]
        else:
            table[key] = data.draw(st.sampled_from(ODD))
    (folder / "config.json").write_text(json.dumps(table))
    try:
        student = load_student(folder)
    except StudentInvalid:
        return
    plays(student)


@pytest.mark.parametrize(
    "values",
    [
        {"min_new_tokens": 10**6, "min_length": 10**6}, {"forced_eos_token_id": 10**9},
        {"bad_words_ids": [[4]], "num_return_sequences": 3}, {"suppress_tokens": [-5, 10**12]},
        {"num_beams": 9, "do_sample": True, "temperature": 1e-9}, {"max_length": 1, "stop": 3},
        {"cache_implementation": "static"}, {"prompt_lookup_num_tokens": 2}, {"eos_token_id": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_settings_of_generation_take_no_part_in_play(values, copy):
    expected = plays(load_student(copy("t5")))
    folder = copy("t5")
    changed(folder, "generation_config.json", **values)
    try:
        student = load_student(folder)
    except StudentInvalid:
        return
    assert plays(student) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_attention_heads", 0),
        ("num_attention_heads", 3),
        ("num_key_value_heads", 0),
        ("num_key_value_heads", 5),
        ("hidden_size", 0),
        ("hidden_size", 10**9),
        ("hidden_size", "16"),
        ("hidden_size", 16.0),
        ("hidden_size", None),
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", 0),
        ("num_hidden_layers", 2),
        ("vocab_size", 5),
        ("vocab_size", 10**12),
        ("max_position_embeddings", 3),
        ("max_position_embeddings", None),
        ("rope_parameters", {"rope_type": "default", "rope_theta": 0}),
        ("rope_parameters", {"rope_type": "linear", "factor": 0, "rope_theta": 1e4}),
        ("rope_parameters", {"rope_type": "nothing", "rope_theta": 1e4}),
        ("rms_norm_eps", None),
        ("hidden_act", "nothing"),
        ("model_type", "nothing"),
        ("model_type", "bert"),
        ("model_type", 3),
        ("pad_token_id", 10**9),
    ],
)
def test_values_that_make_no_student_are_refused(key, value, copy):
    folder = copy()
    changed(folder, **{key: value})
    with pytest.raises(StudentInvalid, match=r"config\.json|damaged"):
        load_student(folder)


@pytest.mark.parametrize("key", ["decoder_start_token_id", "pad_token_id"])
@pytest.mark.parametrize("value", [-1, 10**6, 10**30, None, "0", 1.0])
def test_the_tokens_that_an_answer_begins_with_are_of_the_model(key, value, copy):
    folder = copy("t5")
    changed(folder, **{key: value})
    with pytest.raises(StudentInvalid, match=r"config\.json"):
        load_student(folder)


def test_a_context_of_any_length_takes_no_memory(copy):
    folder = copy()
    changed(folder, max_position_embeddings=10**12)
    student = load_student(folder)
    assert len(plays(student)) > 0
    changed(folder, "student.json", form={"context": 10**12})
    changed(folder, max_position_embeddings=10**6)
    with pytest.raises(StudentInvalid, match="max_position_embeddings"):
        load_student(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"parameters": -1}, {"tokens": -1}, {"vocabulary": -3}, {"vocabulary": 7}, {"seconds": -1},
        {"form": {"context": 0}}, {"form": {"context": -5}}, {"form": {"turn": 0}},
    ],
    ids=str,
)  # fmt: skip
def test_odd_values_of_a_card_are_refused(values, copy):
    folder = copy()
    changed(folder, "student.json", **values)
    with pytest.raises(StudentInvalid):
        load_student(folder)


@pytest.mark.parametrize("name", ["../victim", "victim" * 1000, "victim\0"])
def test_digests_name_nothing_outside_and_nothing_that_no_file_can_be_called(copy, name):
    folder = copy(digests=True)
    changed(folder, DIGESTS, **{name: "0" * 64})
    with pytest.raises(StudentInvalid, match="victim"):
        load_student(folder)
