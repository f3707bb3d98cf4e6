"""A Llama-type or T5 student for CTranslate2, which runs it fast on a CPU."""

from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from subgoal.errors import ExportFailed, install
from subgoal.students.export.quantization import Quantization

_ALONG = ("tokenizer.json", "tokenizer_config.json", "student.json", "README.md")
"""Files of the student that lie beside the converted model, where it has them."""


def write_ctranslate2(source: Path, folder: Path, quantization: Quantization) -> None:
    """Write a model as CTranslate2 reads it.

    Matrices in int8 take seven bits: where the processor has no VNNI, CTranslate2 adds products of
    eight bits in pairs of 16 bits, which would overflow.

    Args:
        source: A folder that plain transformers loads.
        folder: The folder to fill.
        quantization: The numbers of its matrices.

    Raises:
        ExportFailed: CTranslate2 knows no such architecture, or the package is missing.
    """
    try:
        from ctranslate2.converters import TransformersConverter
    except ModuleNotFoundError as error:
        raise ExportFailed(install("ctranslate2", "export")) from error

    class Converter(TransformersConverter):
        """The package's own, with what it does not know of newer transformers and our students."""

        @override
        def load_model(self, model_class: Any, model_name_or_path: str, **options: Any):
            # Since transformers 5 a T5's weights always count as tied; whether its outputs are
            # scaled, as in T5 but not in T5 v1.1, stands elsewhere.
            model = super().load_model(model_class, model_name_or_path, **options)
            scaled = getattr(model.config, "scale_decoder_outputs", None)
            if scaled is not None:
                model.config.tie_word_embeddings = scaled
            return model

        @override
        def load_tokenizer(self, tokenizer_class: Any, model_name_or_path: str, **options: Any):
            # It wants names for tokens that byte-level tokenizers do not have.
            tokenizer = super().load_tokenizer(tokenizer_class, model_name_or_path, **options)
            for name in ("bos_token", "unk_token"):
                if getattr(tokenizer, name) is None:
                    setattr(tokenizer, name, tokenizer.eos_token)
            return tokenizer

    along = [name for name in _ALONG if (source / name).is_file()]
    converter: Any = Converter(str(source), copy_files=along)
    try:
        spec = converter._load()  # `convert` would save it before its matrices can be changed
        spec.validate()
        spec.optimize(quantization=quantization.value)
    except (ValueError, NotImplementedError) as error:
        raise ExportFailed(f"{source} cannot be converted for CTranslate2: {error}") from error
    _take_seven_bits(spec.variables())
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))


def _take_seven_bits(variables: dict[str, Any]) -> None:
    """Halve matrices in int8, and their scales with them."""
    for name, variable in variables.items():
        scale = variables.get(f"{name}_scale")
        if scale is not None and variable.dtype == "int8":
            variable.array = np.rint(variable.array / 2).astype(np.int8)
            scale.array = scale.array / np.float32(2)
