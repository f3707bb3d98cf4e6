"""HTTP replies of the server."""

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from starlette.responses import JSONResponse, StreamingResponse

from subgoal.serving.refusals import Refused


def refusal(error: Refused) -> JSONResponse:
    """Return the reply to what is refused."""
    return JSONResponse(error.body.model_dump(), error.status, error.headers)


def event_stream(events: Iterable[dict[str, Any]]) -> StreamingResponse:
    """Return a reply of server-sent events, ended as OpenAI ends it.

    Args:
        events: What they say.
    """

    async def sent() -> AsyncIterator[str]:
        for event in events:
            yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(
        sent(), media_type="text/event-stream", headers={"cache-control": "no-cache"}
    )
