"""The base of every frozen record: what crosses a boundary or a disk."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen, strict record; an unknown field is an error.

    Attribute docstrings become field descriptions, and so the help of the command line. What was
    given stands in no error: it may be a secret.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )
