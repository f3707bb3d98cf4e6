"""A plain Llama is read without transformers, to the same bits; whatever is not plain is left."""

import json
import subprocess
import sys
from dataclasses import fields

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from subgoal.agents.released import shipped
from subgoal.engines.llama_weights import llama_weights
from subgoal.engines.plain_llama import PlainLlama
from subgoal.students.folder import load_student
from subgoal.students.plain_llama import read_plain_llama
from subgoal.text.format import TextFormat, Turns
from tiny_models import SHAPE, causal

FORM = TextFormat(context=128)
AGENT = shipped()["scienceworld"] / "both"


def tensors(weights):
    for field in fields(weights):
        value = getattr(weights, field.name)
        if isinstance(value, tuple):
            yield from (one for layer in value for one in tensors(layer))
        elif isinstance(value, torch.Tensor):
            yield value
        else:
            yield torch.tensor(value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tied", [True, False])
def test_weights_and_angles_are_those_of_transformers(tmp_path, tied, dtype):
    torch.manual_seed(0)
    config = LlamaConfig(**SHAPE, tie_word_embeddings=tied, head_dim=8)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    model = read_plain_llama(tmp_path, FORM, dtype)
    assert model is not None
    reference = LlamaForCausalLM.from_pretrained(tmp_path, dtype=dtype)
    ours, theirs = list(tensors(model.weights())), list(tensors(llama_weights(reference)))
    assert len(ours) == len(theirs) == 2 * 6 + 9
    assert [one.dtype for one in ours] == [one.dtype for one in theirs]
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_the_shipped_agent_is_read_so():
    student, reference = load_student(AGENT, to_play=True), load_student(AGENT)
    assert isinstance(student.model, PlainLlama)
    pairs = zip(
        tensors(student.model.weights()), tensors(llama_weights(reference.model)), strict=True
    )
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "gelu"},
        {"attention_bias": True},
        {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}},
        {"num_hidden_layers": 3},
        {"vocab_size": 65},
        {"quantization_config": {}},
        {"max_position_embeddings": 64},
    ],
)
def test_what_is_not_plain_is_left_to_transformers(tmp_path, changes):
    causal().save_pretrained(tmp_path)
    assert read_plain_llama(tmp_path, FORM, torch.float32) is not None
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    assert read_plain_llama(tmp_path, FORM, torch.float32) is None


def test_other_weights_and_other_readers_are_left_to_transformers(tmp_path):
    model = causal()
    with torch.no_grad():
        model.lm_head.weight[0, 0] = torch.nan
    model.save_pretrained(tmp_path / "nan")
    causal("qwen2").save_pretrained(tmp_path / "qwen2")
    for name in ("nan", "qwen2", "none"):
        assert read_plain_llama(tmp_path / name, FORM, torch.float32) is None
    words = FORM.model_copy(update={"turns": Turns.WORDS})
    assert read_plain_llama(AGENT, words, torch.float32) is None


def test_the_shipped_agent_plays_without_transformers():
    code = (
        "import sys\n"
        "from subgoal.agents.factory import AgentShop\n"
        "from subgoal.agents.released import released_agent\n"
        "agent = released_agent('scienceworld')\n"
        "AgentShop(agent.folder, (), agent.card.decoding).load(agent.card.kind)\n"
        "assert 'torch' in sys.modules\n"
        "heavy = {'transformers', 'accelerate', 'torch._dynamo', 'sympy', 'pandas'}\n"
        "sys.exit(' '.join(heavy & sys.modules.keys()) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
