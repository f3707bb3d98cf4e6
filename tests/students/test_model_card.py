import json
import re

import pytest
import yaml
from transformers import LlamaConfig, T5Config

from subgoal.storage.run_folder import RunFolder
from subgoal.students.card import StudentCard
from subgoal.students.folder import load_student
from subgoal.students.model_card import model_card, shown
from subgoal.text.format import RenderingName, Role, TextFormat
from subgoal.training.train import train

CARD = StudentCard(
    role=Role.BOTH,
    form=TextFormat(rendering=RenderingName.FOLDED, context=512),
    data="0123456789abcdef",
    parameters=950_000,
    tokens=3_000_000,
    loss=0.25,
    dev_loss=0.5,
    seconds=61.0,
    seed=7,
    trained_on=("errand/fetch/1", "errand/fetch/2", "errand/<b>tidy|up</b>/1"),
    teachers={"recorded": 2, "evil`[x](http://x)": 1},
    config={"training": {"learning_rate": 0.003, "note": "```\n# not a heading"}},
)


def front_matter(text):
    return yaml.safe_load(text.split("---")[1])


def test_a_card_says_what_a_student_is():
    text = model_card(CARD, LlamaConfig(architectures=["LlamaForCausalLM"]))
    front = front_matter(text)
    assert front["license"] == "apache-2.0"
    assert front["library_name"] == "transformers"
    assert front["pipeline_tag"] == "text-generation"
    for said in (
        "LlamaForCausalLM, 950,000 parameters",
        "folded with marks, at most 512 tokens",
        "0.2500 nats",
        "| errand/fetch | 2 |",
        "recorded 2",
        "digest 0123456789abcdef",
        "AutoModelForCausalLM",
        "students/both",
    ):
        assert said in text
    further = CARD.model_copy(update={"base_tokens": 57_000_000})
    said = f"{CARD.tokens:,}, after 57,000,000 in parts before"
    assert said in model_card(further, LlamaConfig(architectures=["LlamaForCausalLM"]))


@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_a_card(role):
    text = model_card(CARD.model_copy(update={"role": role}), LlamaConfig())
    assert f"# A student of subgoal: {role}" in text


def test_an_encoder_decoder_is_loaded_as_one():
    text = model_card(CARD, T5Config())
    assert "AutoModelForSeq2SeqLM" in text
    assert front_matter(text)["pipeline_tag"] == "text2text-generation"


def test_a_pretrained_student_has_its_own_license():
    card = CARD.model_copy(update={"base": "some/model"})
    text = model_card(card, LlamaConfig())
    assert "license" not in front_matter(text)
    assert "some/model" in text


def test_text_from_data_is_never_markup():
    text = model_card(CARD, LlamaConfig())
    assert "<b>" not in text
    assert r"\<b\>tidy\|up\<" in text
    assert r"evil\`\[x\](http://x)" in text
    block = re.search(r"```json\n(.*?)\n```", text, re.DOTALL)
    assert block
    assert json.loads(block[1]) == CARD.config
    assert shown("a\nb\x00  c") == "a b c"
    assert len(shown("x" * 1000)) < 120


def test_training_writes_the_card(tiny, tmp_path):
    summary = train(tiny, RunFolder(tmp_path / "run"))
    folder = summary.written[Role.BOTH]
    card = load_student(folder).card
    assert card.teachers == {"scripted": len(card.trained_on)}
    text = (folder / "README.md").read_text()
    assert text == model_card(card, load_student(folder).model.config)
    assert '"batch_tokens": 512' in text
