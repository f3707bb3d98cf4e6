"""A Llama-type or T5 student for CTranslate2, which runs it fast on a CPU."""

from pathlib import Path
from typing import Any

from typing_extensions import override

from subgoal.errors import ExportFailed, install
from subgoal.training.quantization import Quantization

_ALONG = ("tokenizer.json", "tokenizer_config.json", "student.json", "README.md")
"""Files of the student that lie beside the converted model, where it has them."""


def write_ctranslate2(source: Path, folder: Path, quantization: Quantization) -> None:
    """Write a model as CTranslate2 reads it.

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
    converter = Converter(str(source), copy_files=along)
    try:
        converter.convert(str(folder), quantization=quantization.value, force=True)
    except (ValueError, NotImplementedError) as error:
        raise ExportFailed(f"{source} cannot be converted for CTranslate2: {error}") from error
