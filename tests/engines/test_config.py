"""What `auto` means, and what is refused before anything is loaded."""

import sys

import pytest
import torch

from subgoal.engines.config import (
    EngineConfig,
    EngineName,
    Precision,
    resolved,
)
from subgoal.errors import EngineFailed


def auto(**given):
    return EngineConfig.model_validate(given)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)


@pytest.mark.usefixtures("no_gpu")
def test_on_a_cpu_auto_stays_in_float32():
    causal, pairs = (resolved(auto(), encoder_decoder=kind) for kind in (False, True))
    assert causal.label == "transformers float32"
    assert pairs.label == "ctranslate2 float32"
    assert {causal.device, pairs.device} == {"cpu"}
    int8 = resolved(auto(precision="int8"), encoder_decoder=True)
    assert int8.label == "ctranslate2 int8"  # no other engine has it


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("given", [{"engine": "ctranslate2"}, {"precision": "int8"}])
def test_a_causal_student_is_not_played_on_ctranslate2(given):
    with pytest.raises(EngineFailed, match="encoder-decoder"):
        resolved(auto(**given), encoder_decoder=False)


@pytest.mark.usefixtures("no_gpu")
def test_without_ctranslate2_auto_needs_nothing_but_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    assert resolved(auto(), encoder_decoder=True).label == "transformers float32"


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("pairs", [True, False])
def test_on_a_gpu_auto_is_transformers_in_bfloat16(pairs):
    found = resolved(auto(), pairs)
    assert (found.label, found.device) == ("transformers bfloat16", "cuda")
    assert resolved(auto(device="cpu"), encoder_decoder=False).label == "transformers float32"
    assert resolved(auto(precision="float32"), pairs).precision is Precision.FLOAT32


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"device": "tpu"}, "no device 'tpu'; choose auto"),
        ({"device": "cuda"}, "'cuda' is not there: torch finds 0"),
        ({"device": "cpu:3"}, "'cpu:3' is not there: torch finds 1"),
        ({"engine": "ctranslate2", "precision": "bfloat16"}, "has no bfloat16 on this cpu"),
        ({"engine": "transformers", "precision": "int8"}, "'transformers' has no int8"),
    ],
)
@pytest.mark.usefixtures("no_gpu")
def test_what_cannot_be_is_one_sentence(given, said):
    with pytest.raises(EngineFailed, match=said):
        resolved(auto(**given), encoder_decoder=True)


@pytest.mark.parametrize("name", ["ctranslate2", "openai"])
def test_a_missing_package_names_the_extra(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineFailed, match=rf"engine '{name}'.*pip install 'subgoal\[engines\]'"):
        resolved(auto(engine=EngineName(name), device="cpu"), encoder_decoder=True)
