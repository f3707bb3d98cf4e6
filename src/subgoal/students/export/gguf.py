"""A Llama-type student as one GGUF file, which llama.cpp and what is built on it run.

GGUF's Llama turns neighbouring dimensions of a head against each other (rotary embedding), where
transformers turns the first half against the second. So the rows of the query and key weights are
put in another order here; transformers puts them back when it loads the file.
"""

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from transformers import AutoConfig, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from subgoal.errors import ExportFailed, install
from subgoal.storage.journal import writing
from subgoal.students.export.quantization import Quantization
from subgoal.students.model_files import read_json

_BLOCK = 32
"""Weights that share a scale in Q8_0; a matrix of other widths is written in float16."""
_DIGITS = {"type": "Digits", "individual_digits": True}
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_SPLITS = {"smollm": [_DIGITS, _BYTES], "gpt-2": [_BYTES]}
"""How a tokenizer splits text before it merges bytes, by the name that llama.cpp has for it."""


def write_gguf(source: Path, path: Path, quantization: Quantization) -> None:
    """Write a model as a GGUF file.

    Args:
        source: A folder that plain transformers loads.
        path: The file to write.
        quantization: The numbers of its matrices; vectors are float32 always.

    Raises:
        ExportFailed: It is no Llama, its tokenizer splits text in a way that llama.cpp has no name
            for, or the package gguf is missing.
    """
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise ExportFailed(install("gguf", "export")) from error
    config = _checked(source)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with writing(path):
            writer = gguf.GGUFWriter(temporary, "llama")
            _add_shape(writer, config)
            _add_tokens(writer, source, config.vocab_size)
            _add_weights(writer, source, config, quantization)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _checked(source: Path) -> LlamaConfig:
    config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    if not isinstance(config, LlamaConfig):
        raise ExportFailed(
            f"{source} holds a model of type {config.model_type}; only Llama-type students are "
            "written as GGUF, export it as a folder and use llama.cpp's own converter"
        )
    odd = [name for name in ("attention_bias", "mlp_bias") if getattr(config, name)]
    if config.hidden_act != "silu":
        odd.append(f"hidden_act = {config.hidden_act}")
    if (kind := _rope(config).get("rope_type", "default")) != "default":
        odd.append(f"rope_type = {kind}")
    if odd:
        raise ExportFailed(
            f"{source} is a Llama with {', '.join(odd)}, which is not written as GGUF here; export "
            "it as a folder and use llama.cpp's own converter"
        )
    return config


def _rope(config: LlamaConfig) -> dict[str, Any]:
    """Return the rotary embedding's parameters, of transformers before and from version 5 on."""
    old = {"rope_theta": getattr(config, "rope_theta", None), **(config.rope_scaling or {})}
    return getattr(config, "rope_parameters", None) or old


def _add_shape(writer: Any, config: LlamaConfig) -> None:
    heads = cast("int", config.num_attention_heads)
    width = config.head_dim or config.hidden_size // heads
    writer.add_name("subgoal student")
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads or heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(float(_rope(config)["rope_theta"]))


def _add_tokens(writer: Any, source: Path, size: int) -> None:
    import gguf

    table = read_json(source / "tokenizer.json")
    words: dict[str, int] = table["model"].get("vocab", {})
    texts = [f"<|unused {number}|>" for number in range(size)]
    kinds = [gguf.TokenType.UNUSED] * size
    for text, number in words.items():
        texts[number], kinds[number] = text, gguf.TokenType.NORMAL
    for added in table["added_tokens"]:
        special = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        texts[added["id"]], kinds[added["id"]] = added["content"], special
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_split(table, source))
    writer.add_token_list(texts)
    writer.add_token_types(kinds)
    pairs = table["model"]["merges"]
    writer.add_token_merges([pair if isinstance(pair, str) else " ".join(pair) for pair in pairs])
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    first = tokenizer("").input_ids[:1]
    writer.add_add_bos_token(bool(first) and first[0] == tokenizer.bos_token_id)
    for name in ("bos", "eos", "pad"):
        if (number := getattr(tokenizer, f"{name}_token_id")) is not None:
            getattr(writer, f"add_{name}_token_id")(number)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _split(table: dict[str, Any], source: Path) -> str:
    """Return llama.cpp's name for how a tokenizer splits text."""
    found = table["pre_tokenizer"] or {}
    steps = found["pretokenizers"] if found.get("type") == "Sequence" else [found]
    bare = [{key: value for key, value in step.items() if key != "trim_offsets"} for step in steps]
    names = [name for name, known in _SPLITS.items() if bare == known]
    if table["model"].get("type") != "BPE" or table["normalizer"] or not names:
        raise ExportFailed(
            f"{source}: its tokenizer splits text in a way that is not written as GGUF here (only "
            "byte-level BPE as SmolLM2 and GPT-2 have it); use llama.cpp's own converter"
        )
    return names[0]


def _add_weights(
    writer: Any, source: Path, config: LlamaConfig, quantization: Quantization
) -> None:
    import gguf

    kinds = gguf.GGMLQuantizationType
    kind = {
        Quantization.FLOAT32: kinds.F32,
        Quantization.FLOAT16: kinds.F16,
        Quantization.BFLOAT16: kinds.BF16,
        Quantization.INT8: kinds.Q8_0,
    }[quantization]
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    model = LlamaForCausalLM.from_pretrained(source, dtype="float32", use_safetensors=True)
    weights = model.state_dict()
    if config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    for name, weight in weights.items():
        array = _ordered(name, cast("NDArray[np.float32]", weight.numpy()), config)
        mine = kinds.F32 if array.ndim == 1 else kind
        if mine is kinds.Q8_0 and array.shape[-1] % _BLOCK:
            mine = kinds.F16
        label = names.get_name(name, (".weight",))
        writer.add_tensor(label, gguf.quants.quantize(array, mine), raw_dtype=mine)
    types = gguf.LlamaFileType
    writer.add_file_type(
        {
            kinds.F32: types.ALL_F32,
            kinds.F16: types.MOSTLY_F16,
            kinds.BF16: types.MOSTLY_BF16,
            kinds.Q8_0: types.MOSTLY_Q8_0,
        }[kind]
    )


def _ordered(name: str, array: NDArray[np.float32], config: LlamaConfig) -> NDArray[np.float32]:
    """Put the rows of query and key weights in GGUF's order: from halves to neighbours."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    count = next((heads[part] for part in heads if f".{part}." in name), None)
    if count is None:
        return array
    halves = array.reshape(cast("int", count), 2, -1, array.shape[-1])
    return np.ascontiguousarray(halves.transpose(0, 2, 1, 3)).reshape(array.shape)
