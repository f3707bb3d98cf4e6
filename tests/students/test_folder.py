import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

from subgoal.errors import StudentInvalid
from subgoal.storage.digests import DIGESTS
from subgoal.students.build import make_student
from subgoal.students.card import StudentCard
from subgoal.students.config import StudentConfig
from subgoal.students.folder import Student, load_student, save_student
from subgoal.text.format import Role, TextFormat
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer

CARD = StudentCard(
    role=Role.BOTH,
    form=TextFormat(context=512),
    data="0123456789abcdef",
    parameters=1,
    tokens=1,
    loss=1.0,
    dev_loss=None,
    seconds=1.0,
    seed=0,
    trained_on=("errand/fetch/1",),
)


@pytest.fixture(scope="module")
def student():
    tokenizer = MarkTokenizer.train(["pick up the apple", "go to the kitchen"], 300)
    model = make_student(StudentConfig(), tokenizer.size, tokenizer.mark(Mark.PAD), 512)
    return Student(model, tokenizer, CARD)


@pytest.fixture
def place(student, tmp_path):
    save_student(tmp_path / "both", student)
    return tmp_path / "both"


def test_a_student_survives_the_disk(student, place):
    save_student(place, student)
    again = load_student(place, Role.BOTH)
    assert again.card == CARD
    assert not again.model.training
    for name, weight in student.model.state_dict().items():
        assert torch.equal(weight, again.model.state_dict()[name])
    spell = again.tokenizer.segment
    assert spell(Mark.ACT, "go to it", True) == student.tokenizer.segment(
        Mark.ACT, "go to it", True
    )
    assert [path.name for path in place.parent.iterdir()] == ["both"]


def test_plain_libraries_load_the_folder(student, place):
    model = AutoModelForCausalLM.from_pretrained(place)
    assert torch.equal(model.lm_head.weight, student.model.lm_head.weight)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == student.tokenizer.size
    endings = {path.suffix for path in place.iterdir()}
    assert endings == {".json", ".safetensors", ".md"}


def test_another_role_is_refused(place):
    with pytest.raises(StudentInvalid, match="trained as both, not flat"):
        load_student(place, Role.FLAT)


@pytest.mark.parametrize(
    "name", ["student.json", "config.json", "model.safetensors", "tokenizer.json"]
)
def test_a_missing_file_is_named(name, place):
    (place / name).unlink()
    with pytest.raises(StudentInvalid, match=f"{name} is missing"):
        load_student(place)


@pytest.mark.parametrize(
    "name", ["student.json", "config.json", "model.safetensors", "tokenizer.json"]
)
def test_damage_is_named(name, place):
    whole = (place / name).read_bytes()
    (place / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StudentInvalid, match=r"is damaged|is no tokenizer"):
        load_student(place)


def test_missing_weights_are_not_made_up(place):
    (place / DIGESTS).unlink()  # a folder of before
    file = place / "model.safetensors"
    weights = load_file(file)
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(StudentInvalid, match=r"no fitting .*layers\.1\.mlp\.up_proj"):
        load_student(place)


def test_a_card_of_another_form_is_named(place):
    (place / DIGESTS).unlink()
    card = json.loads((place / "student.json").read_text())
    (place / "student.json").write_text(json.dumps({**card, "role": "cook"}))
    with pytest.raises(StudentInvalid, match=r"student\.json is damaged \(role"):
        load_student(place)


def test_parts_of_two_students_are_told_apart(place):
    (place / DIGESTS).unlink()
    MarkTokenizer.train(["a"], 270).save(place)
    with pytest.raises(StudentInvalid, match="different students"):
        load_student(place)
