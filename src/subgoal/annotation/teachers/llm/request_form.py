"""What a request to an endpoint holds, and what the endpoint's refusals teach about it.

A parameter that an endpoint refuses is left out, a limit of tokens is asked for by its other name,
a JSON schema gives way to the prompt alone. What was learned holds as long as the endpoint is open,
and is said once. Fields that the user set for this endpoint alone are never left out: they may say
what the user does not want to go without.
"""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import JsonValue

from subgoal.annotation.teachers.llm.config import CAPS, FORM, OpenAIConfig
from subgoal.annotation.teachers.llm.prompt import Messages
from subgoal.annotation.teachers.llm.refusal import Refusal, RefusalKind
from subgoal.progress import console

_SAMPLING = {"temperature", "top_p", "seed", "reasoning_effort"}
"""Parameters that a request can do without."""
_VAGUE_ERRORS = 2
"""Status 500 so often, and never a reply by the schema: then the schema may be the reason."""

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "subgoals": {
            "type": "array",
            "items": {
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "minItems": 2,
                "maxItems": 2,
            },
        }
    },
    "required": ["subgoals"],
    "additionalProperties": False,
}
"""The pairs that the prompt asks for, in an object: there are endpoints that take nothing else."""


class RequestForm:
    """The form of requests to one endpoint.

    Args:
        config: What is asked for.
        parameters: What is sent besides the question; secrets included.
    """

    def __init__(self, config: OpenAIConfig, parameters: Mapping[str, JsonValue]) -> None:
        self._config = config
        self._parameters = dict(parameters)
        self._schema = config.by_schema
        self._proven = False
        self._vague = 0
        self._tried = {name for name in CAPS if name in parameters}
        self.ever = frozenset({*parameters, FORM} | (set(CAPS) if self._tried else set()))
        """The names of all that a request may have held since the endpoint was opened."""

    def body(self, messages: Messages) -> dict[str, Any]:
        """Return a request as the protocol has it."""
        named = {"name": "subgoals", "strict": True, "schema": _SCHEMA}
        form = {FORM: {"type": "json_schema", "json_schema": named}} if self._schema else {}
        return {"model": self._config.model, "messages": messages, **self._parameters, **form}

    def answered(self, sent: Collection[str]) -> None:
        """Learn from a reply.

        Args:
            sent: The names of what the request held.
        """
        self._proven |= FORM in sent

    def learn(self, refusal: Refusal, sent: Collection[str]) -> bool:
        """Learn from a refusal; return True where the next request will be another for it.

        Args:
            refusal: What the endpoint refuses.
            sent: The names of what the request held.
        """
        if refusal.kind is RefusalKind.SCHEMA:
            self._without_schema(refusal)
            return FORM in sent
        name = refusal.parameter
        if refusal.kind is not RefusalKind.PARAMETER or name not in sent:
            return False
        if name not in self._parameters:
            return True  # another request has taught it already
        if name in CAPS:
            return self._rename(name, refusal)
        if name in _SAMPLING:
            del self._parameters[name]
            self._say(f"'{name}' is left out from now on", refusal)
            return True
        return False

    def doubts_schema(self, refusal: Refusal, sent: Collection[str]) -> bool:
        """Tell whether a refusal may be about the schema, though it does not say so.

        Args:
            refusal: What the endpoint refuses.
            sent: The names of what the request held.
        """
        if FORM not in sent or self._proven or not refusal.vague:
            return False
        self._vague += 1
        return refusal.status != 500 or self._vague >= _VAGUE_ERRORS

    def does_without_schema(self, refusal: Refusal) -> None:
        """Learn that a question was answered without the schema that was refused with it."""
        self._without_schema(refusal)

    def _without_schema(self, refusal: Refusal) -> None:
        if self._schema:
            self._schema = False
            self._say("the reply's form is asked for by the prompt alone from now on", refusal)

    def _rename(self, name: str, refusal: Refusal) -> bool:
        (other,) = set(CAPS) - {name}
        if other in self._tried:
            return False
        self._tried.add(other)
        self._parameters[other] = self._parameters.pop(name)
        self._say(f"'{other}' is sent instead of '{name}' from now on", refusal)
        return True

    def _say(self, what: str, refusal: Refusal) -> None:
        console.print(f"annotate: {what}: the endpoint said: {refusal.said}", markup=False)
