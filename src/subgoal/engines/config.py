"""Which engine students play on, on what device, in what numbers; and the rule of `auto`.

The rule is measured (`research/benchmarks/engines.py`, docs/rollout.md). On a CPU it never leaves
float32, so that what is installed decides how fast students play, not what they do.
"""

from enum import StrEnum
from importlib import util

from pydantic import Field

from subgoal.errors import EngineFailed, install
from subgoal.record import Rare, Record, removed


class EngineName(StrEnum):
    """What computes."""

    AUTO = "auto"
    """As measured best for the student and the device."""
    TRANSFORMERS = "transformers"
    """torch, with the prefix kept; any student."""
    CTRANSLATE2 = "ctranslate2"
    """CTranslate2; encoder-decoder students (pip install 'subgoal[engines]')."""
    OPENAI = "openai"
    """An OpenAI-compatible server, such as vLLM (pip install 'subgoal[engines]')."""


class Precision(StrEnum):
    """The numbers that weights are held in."""

    AUTO = "auto"
    """float32 on a CPU, bfloat16 on a GPU that has it."""
    FLOAT32 = "float32"
    """As they were trained."""
    BFLOAT16 = "bfloat16"
    """Half the memory."""
    INT8 = "int8"
    """A quarter; on CTranslate2."""


KEY_VARIABLE = "SUBGOAL_SERVER_KEY"
"""The environment variable that holds the API key of a server of students, if it wants one."""


class ServerAccess(Record):
    """An OpenAI-compatible server that serves students."""

    base_url: str = Field(default="http://127.0.0.1:8000/v1", repr=False)
    """Its address. `{role}` stands for the student's role."""
    model: str = "{role}"
    """Name of the student at the server. `{role}` stands for the student's role."""
    at_once: int = Field(default=32, ge=1)
    """Largest number of requests at once."""
    _removed = removed(
        key_variable=(KEY_VARIABLE, f"the API key is read from {KEY_VARIABLE}"),
        timeout=(120.0, "an answer has two minutes"),
        max_reply_bytes=(8 * 2**20, "an answer has at most 8 MiB"),
        retries=(3, "a failed request is sent again 3 times"),
    )

    def of(self, role: str) -> "ServerAccess":
        """Return what serves the student of a role."""
        given = {"base_url": self.base_url, "model": self.model}
        return self.model_copy(
            update={name: text.replace("{role}", role) for name, text in given.items()}
        )


class EngineConfig(Record):
    """What students play on."""

    _removed = removed(compile=(False, "students were slower at play compiled; leave it out"))

    engine: EngineName = EngineName.AUTO
    """What computes: `auto`, `transformers`, `ctranslate2`, or `openai` (a server)."""
    device: str = "auto"
    """`auto` (a GPU if there is one), `cpu`, `cuda`, `cuda:1` or `mps`."""
    precision: Rare[Precision] = Precision.AUTO
    """Number format of the weights: `auto`, `float32`, `bfloat16`, or `int8` (on `ctranslate2`)."""
    server: Rare[ServerAccess] = ServerAccess()
    """The server, for the engine `openai`."""

    @property
    def label(self) -> str:
        """What decides the answers, in two words: `transformers float32`."""
        if self.engine is EngineName.OPENAI:
            return f"openai {self.server.model}"
        return f"{self.engine} {self.precision}"


REFERENCE = f"{EngineName.TRANSFORMERS} {Precision.FLOAT32}"
"""The label of the engine that every other is measured against."""


def resolved(config: EngineConfig, encoder_decoder: bool) -> EngineConfig:
    """Return the configuration with every `auto` decided for a student, and checked.

    Args:
        config: What was asked for.
        encoder_decoder: Whether the student is an encoder-decoder model.

    Raises:
        EngineFailed: The device is not there, a package is missing, or the settings do not go
            together.
    """
    if config.engine is EngineName.OPENAI:
        if not _has("openai"):
            raise EngineFailed(f"engine 'openai': {install('openai', 'engines')}")
        return config
    import torch

    device = _device(config.device)
    on_gpu = not device.startswith("cpu")
    precision = config.precision
    if precision is Precision.AUTO:
        half = device.startswith("cuda") and torch.cuda.is_bf16_supported()
        precision = Precision.BFLOAT16 if half else Precision.FLOAT32
    engine = config.engine
    if engine is EngineName.AUTO:
        engine = _engine(precision, on_gpu, encoder_decoder)
    found = config.model_copy(update={"engine": engine, "device": device, "precision": precision})
    _check(found, encoder_decoder)
    return found


def _engine(precision: Precision, on_gpu: bool, encoder_decoder: bool) -> EngineName:
    """Choose by what `research/benchmarks/engines.py` measured; int8 is CTranslate2's alone."""
    fits = precision is Precision.FLOAT32 and not on_gpu
    if encoder_decoder and (precision is Precision.INT8 or (fits and _has("ctranslate2"))):
        return EngineName.CTRANSLATE2
    return EngineName.TRANSFORMERS


def _device(asked: str) -> str:
    import torch

    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = asked.partition(":")
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if kind not in there or (number and not number.isdecimal()):
        raise EngineFailed(f"there is no device '{asked}'; choose auto, cpu, cuda, cuda:1 or mps")
    if int(number or 0) >= there[kind]:
        raise EngineFailed(
            f"device '{asked}' is not there: torch finds {there[kind]} of kind '{kind}'; set "
            "device = 'auto' or 'cpu'"
        )
    return asked


def _check(config: EngineConfig, encoder_decoder: bool) -> None:
    """Refuse settings that do not go together, before any weights are read."""
    if config.engine is EngineName.CTRANSLATE2:
        _check_ctranslate2(config, encoder_decoder)
    elif config.precision is Precision.INT8:
        raise EngineFailed(
            "engine 'transformers' has no int8; set precision = 'float32' or 'bfloat16' (an "
            "encoder-decoder student plays in int8 on 'ctranslate2')"
        )


def _check_ctranslate2(config: EngineConfig, encoder_decoder: bool) -> None:
    if not encoder_decoder:
        raise EngineFailed(
            "engine 'ctranslate2' plays encoder-decoder students alone: it keeps no prefix, which "
            "makes a causal one slower than 'transformers'; set engine = 'auto'"
        )
    if not _has("ctranslate2"):
        raise EngineFailed(f"engine 'ctranslate2': {install('ctranslate2', 'engines')}")
    import ctranslate2

    kind = config.device.partition(":")[0]
    if kind not in {"cpu", "cuda"}:
        raise EngineFailed(f"engine 'ctranslate2' does not know the device '{config.device}'")
    if config.precision not in ctranslate2.get_supported_compute_types(kind):
        raise EngineFailed(
            f"engine 'ctranslate2' has no {config.precision} on this {kind}; set "
            "precision = 'float32' or 'int8'"
        )


def _has(package: str) -> bool:
    try:
        return util.find_spec(package) is not None
    except ValueError:  # a module of which only the name is there
        return False
