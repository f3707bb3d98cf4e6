"""JSON that is nested too deep, or is none, is an answer like any other."""

import urllib.error
import urllib.request

import pytest

from subgoal.annotation.teachers.llm.refusal import read_refusal
from subgoal.annotation.teachers.rehearsal.server import ServerConfig, TeacherServer


@pytest.mark.parametrize("depth", [200, 900, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"error":', '{"detail":['])
def test_a_refusal_that_is_nested_deep_is_read(depth, opening):
    closing = "".join({"[": "]", "{": "}"}[one] for one in reversed(opening) if one in "[{")
    assert read_refusal(400, opening * depth + "1" + closing * depth).status == 400


@pytest.mark.parametrize("place", ["chat/completions", "batches"])
@pytest.mark.parametrize("body", [b"[" * 100_000, b"{", b"\xff", b"[]", b"{}", b"3"])
def test_the_rehearsal_teacher_refuses_what_it_cannot_read(place, body):
    with TeacherServer(ServerConfig(port=0)) as server:
        asked = urllib.request.Request(f"{server.base_url}/{place}", body)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked)
        assert refused.value.code == 400
        refused.value.close()
        assert server.delivered.replies == 0
