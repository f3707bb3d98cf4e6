"""What a stage did, in every form in which it is shown."""

import importlib.util

import pytest
from typing_extensions import override

from subgoal.summary import Summary, Table, TextLine


class _Done(Summary):
    @override
    def parts(self):
        rows = (("<b>one</b>", "1"), ("two", "20"))
        return [TextLine(text="done <i>"), Table(title="Counts", head=("what", "n"), rows=rows)]


def test_text_is_aligned():
    assert str(_Done()).splitlines() == [
        "done <i>",
        "",
        "Counts",
        "what         n",
        "<b>one</b>   1",
        "two         20",
    ]
    assert repr(_Done()) == str(_Done())


def test_html_escapes_all_that_is_put_into_it():
    html = _Done()._repr_html_()
    assert "<b>" not in html
    assert "<i>" not in html
    assert "&lt;b&gt;one" in html


def test_a_frame_is_pandas_or_a_sentence(monkeypatch):
    if importlib.util.find_spec("pandas"):
        assert list(_Done().frame().columns) == ["what", "n"]
    monkeypatch.setattr("subgoal.summary.find_spec", lambda _: None)
    assert "pip install pandas" in _Done().frame()


def test_a_summary_without_parts_is_none():
    with pytest.raises(TypeError):
        Summary()  # pyright: ignore[reportAbstractUsage]
