"""What docs/serving.md tells a reader to write and to type works."""

import json
import re
import shlex
from pathlib import Path

import pytest

from subgoal.cli.main import module_of

PAGE = (Path(__file__).parents[1] / "docs" / "serving.md").read_text()


def test_the_numbers_of_the_page_are_the_defaults() -> None:
    defaults = module_of("serve").OPTIONS().model_dump()
    told = re.findall(r"`--([a-z-]+)`(?: seconds)? \((\d+)\)", PAGE)
    assert len(told) > 5
    for name, number in told:
        assert defaults[name.replace("-", "_")] == float(number), name


def test_the_program_and_the_requests_of_the_page_run(released: Path) -> None:
    pytest.importorskip("openai")
    httpx = pytest.importorskip("httpx")
    from trips import TOOLS, running

    with running(released) as server:
        (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        exec(program.replace("http://127.0.0.1:8000", server.url), {"tools": TOOLS})
        number, said = "", {}
        for line in re.findall(r"^(curl .*)$", PAGE, re.MULTILINE):
            words = shlex.split(line)
            url = next(word for word in words if word.startswith("localhost"))
            url = url.replace("localhost:8000", server.url).replace("ID", number)
            if "DELETE" in words:
                assert httpx.delete(url).status_code == 204
                continue
            said = httpx.post(url, json=json.loads(words[-1])).json()
            number = number or said["id"]
        assert said["action"]
