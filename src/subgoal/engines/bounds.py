"""How far the tables of a model go: ids past them, and places past them, cannot be read."""

from typing import Any

from subgoal.engines.plain_llama import PlainLlama


def vocabulary(model: Any) -> int:
    """Return how many token ids a model of transformers can read and write."""
    if isinstance(model, PlainLlama):
        return model.config.vocab_size
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    tables = [getattr(end, "weight", None) for end in ends]
    return min(table.shape[0] for table in tables if table is not None)


def positions(model: Any, asked: int) -> int:
    """Return how many tokens of a text a model of transformers takes, at most as many as asked.

    Args:
        model: The model; one without a table of places takes any number.
        asked: Most tokens that are needed.
    """
    if isinstance(model, PlainLlama):
        return min(asked, model.config.max_position_embeddings)
    most = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return asked if most is None else min(asked, most)
