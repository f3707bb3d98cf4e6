import sys
from typing import Any

import pytest
from tokenizers import Tokenizer

from chat_models import KINDS, chat_model
from datasets import load_dataset
from subgoal.datasets.config import DatasetConfig
from subgoal.datasets.examples import build, corpus
from subgoal.datasets.parquet import conversation, turns
from subgoal.errors import ExportFailed
from subgoal.storage.run_folder import RunFolder
from subgoal.text.format import RenderingName, Role, Turns
from subgoal.text.tokenizers.chat import ChatTokenizer
from subgoal.training.data_export import export_data
from subgoal.training.texts import texts_by_role


def written(tiny, tmp_path, name, split="train"):
    data: Any = load_dataset(str(tmp_path / "data"), name, cache_dir=str(tmp_path / "cache"))
    return list(data[split])


@pytest.mark.parametrize("rendering", list(RenderingName)[:2])
def test_datasets_loads_what_students_are_trained_on(rendering, tiny, tmp_path):
    dataset = tiny.dataset.model_copy(update={"rendering": rendering})
    config = tiny.model_copy(update={"dataset": dataset, "roles": (Role.BOTH, Role.FLAT)})
    run = RunFolder(tmp_path / "run")
    rows = export_data(config, run, tmp_path / "data")
    tokenizer, roles = texts_by_role(config, run)
    tokenizer.save(tmp_path)
    plain = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for role in config.roles:
        for split in ("train", "dev"):
            texts = roles[role][split]
            said = written(config, tmp_path, f"{role}-messages", split)
            assert rows[f"{role}/messages/{split}.parquet"] == len(said) == len(texts)
            for row, text in zip(said, texts, strict=True):
                assert (row["key"], row["role"]) == (text.key, role)
                speakers = [message["role"] for message in row["messages"]]
                assert speakers == ["user", "assistant"] * (len(speakers) // 2)
                whole = "".join(message["content"] for message in row["messages"])
                ids = plain.encode(whole, add_special_tokens=False).ids
                assert ids == text.ids[: len(ids)].tolist()
                assert not text.learned[len(ids) :].any()


def test_every_written_turn_is_a_completion(tiny, tmp_path):
    rows = export_data(tiny, RunFolder(tmp_path / "run"), tmp_path / "data")
    said = written(tiny, tmp_path, "both-turns")
    assert rows["both/turns/train.parquet"] == len(said) > 20
    assert said[0]["prompt"].startswith("<|task|>")
    assert said[0]["completion"].startswith("<|goal|>")
    assert "<|end|><|act|>" in said[0]["completion"]
    assert said[0]["completion"].endswith("<|end|>")
    same = [row for row in said if row["prompt"].startswith(said[0]["prompt"])]
    assert same[1]["prompt"].startswith(said[0]["prompt"] + said[0]["completion"] + "<|observe|>")


@pytest.mark.parametrize("kind", list(KINDS))
def test_messages_are_those_of_a_chat_student(kind, annotated, tmp_path):
    model: Any = chat_model(kind, corpus(annotated))
    model.save_pretrained(tmp_path)
    chat = ChatTokenizer.of(model, tmp_path)
    config = DatasetConfig(context=512, rendering=RenderingName.FOLDED, turns=Turns.CHAT)
    for role in (Role.BOTH, Role.EXECUTOR, Role.PLANNER):
        for text in build(annotated, role, config, chat):
            messages = next(conversation(text, role, chat))["messages"]
            contents = [message["content"] for message in messages]
            assert contents[0].startswith("Task: ")
            shown = chat.text(text.ids.tolist())
            if role is Role.BOTH and not text.reopened:
                rendered = model.apply_chat_template(
                    messages, tokenize=False, date_string="26 Jul 2024"
                )
                assert rendered.startswith(shown.rstrip("\n"))
            assert not any("<" in content for content in contents)
            *_, last = turns(text, role, chat)
            assert shown.startswith(last["prompt"] + last["completion"])


def test_a_missing_package_names_the_extra(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExportFailed, match=r"'pyarrow' is not .*'subgoal\[data\]'"):
        export_data(tiny, RunFolder(tmp_path / "run"), tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_nothing_is_overwritten(tiny, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine").touch()
    with pytest.raises(ExportFailed, match="is there already"):
        export_data(tiny, RunFolder(tmp_path / "run"), tmp_path / "data")
