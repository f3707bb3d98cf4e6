"""A pretrained model that somebody else made: data of its own shape, or refused in one sentence."""

import json
import random
import struct

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from subgoal.errors import StudentInvalid
from subgoal.students.export.gguf import write_gguf
from subgoal.students.export.quantization import Quantization
from subgoal.students.gguf_header import tensors_of
from subgoal.students.pretrained import Pretrained, find_pretrained
from subgoal.text.format import Turns
from subgoal.text.tokenizers.marks import MarkTokenizer


@pytest.fixture
def folder(tmp_path):
    """A folder as a published model's."""
    tokenizer = MarkTokenizer.train(["pick up the apple"], 280)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.size, hidden_size=32, intermediate_size=32, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
            tie_word_embeddings=True,
        )
    )  # fmt: skip
    place = tmp_path / "base"
    model.save_pretrained(place)
    tokenizer.save(place)
    return place


@pytest.fixture
def gguf(folder):
    write_gguf(folder, folder.parent / "model.gguf", Quantization.FLOAT32)
    return folder.parent / "model.gguf"


def loaded(base: Pretrained):
    base.config()
    if base.gguf is None:  # transformers reads the tokenizers of some GGUF files only
        base.tokenizer(Turns.MARKS)
    return base.model(False, torch.float32)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_a_base_that_names_code_is_refused(name, folder, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("it asks to run code"))
    loaded(find_pretrained(str(folder)))
    table = json.loads((folder / name).read_text())
    table["auto_map"] = {"AutoConfig": "evil.Config", "AutoTokenizer": ["evil.Tokenizer", None]}
    (folder / name).write_text(json.dumps(table))
    for load in ("config", "model", "tokenizer"):
        base = find_pretrained(str(folder))
        arguments = {"config": (), "model": (False, torch.float32), "tokenizer": (Turns.MARKS,)}
        with pytest.raises(StudentInvalid, match="auto_map"):
            getattr(base, load)(*arguments[load])


def test_pickled_weights_beside_sound_ones_are_never_read(folder):
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    loaded(find_pretrained(str(folder)))
    (folder / "model.safetensors").unlink()
    with pytest.raises(StudentInvalid, match=r"pytorch_model\.bin is pickled"):
        loaded(find_pretrained(str(folder)))


def test_the_hub_s_cache_holds_links_beside_its_snapshots(folder, tmp_path):
    repository = tmp_path / "models--x--y"
    blobs, snapshot = repository / "blobs", repository / "snapshots" / "0123"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(folder.iterdir()):
        file.rename(blobs / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    loaded(find_pretrained(str(snapshot)))
    (tmp_path / "secret").write_text("secret")
    (snapshot / "chat_template.jinja").symlink_to(tmp_path / "secret")
    with pytest.raises(StudentInvalid, match=r"chat_template\.jinja lies outside"):
        loaded(find_pretrained(str(snapshot)))


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_attention_heads", 0), ("hidden_size", 10**9), ("num_hidden_layers", 10**12)],
)
def test_odd_values_are_refused_before_anything_is_built(key, value, folder):
    table = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(table | {key: value}))
    with pytest.raises(StudentInvalid, match="cannot be loaded"):
        find_pretrained(str(folder)).config()


def test_a_gguf_file_that_is_sound_is_loaded(gguf):
    assert tensors_of(gguf) == 11
    assert loaded(find_pretrained(str(gguf))).config.num_hidden_layers == 1


@pytest.mark.parametrize("at", [4, 8, 16, 24])
@pytest.mark.parametrize("value", [2**63, 2**40, 10**6])
def test_a_gguf_header_that_lies_is_one_sentence(gguf, at, value):
    data = bytearray(gguf.read_bytes())
    data[at : at + 8] = struct.pack("<Q", value)
    gguf.write_bytes(data)
    with pytest.raises(StudentInvalid, match=r"model\.gguf"):
        find_pretrained(str(gguf)).config()


def test_an_array_that_lies_about_its_length_is_one_sentence(gguf):
    data = bytearray(gguf.read_bytes())
    at = data.index(b"tokenizer.ggml.tokens") + len(b"tokenizer.ggml.tokens") + 8
    data[at : at + 8] = struct.pack("<Q", 2**62)
    gguf.write_bytes(data)
    with pytest.raises(StudentInvalid, match="too early"):
        find_pretrained(str(gguf)).config()


def test_a_gguf_file_of_any_bytes_is_loaded_or_refused(gguf):
    whole, chance = gguf.read_bytes(), random.Random(0)
    header = whole.index(b"blk.0")
    for number in range(12):
        data = bytearray(whole)
        for _ in range(3):
            at = chance.randrange(header)
            data[at] ^= 1 << chance.randrange(8)
        gguf.write_bytes(data if number % 4 else data[: chance.randrange(len(data))])
        try:
            loaded(find_pretrained(str(gguf)))
        except StudentInvalid:
            continue
