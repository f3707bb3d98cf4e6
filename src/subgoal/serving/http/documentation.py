"""The server's documentation as a page of its own: nothing is fetched from elsewhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color-scheme:light dark}}code,pre{{font-size:.85rem}}pre{{overflow:auto}}</style>
<h1>{title} {version}</h1>
<p>The machine-readable form is <a href="openapi.json">openapi.json</a>.</p>
{parts}</html>
"""


def page(described: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI description.

    Args:
        described: The description.
    """
    told = described["info"]
    return _PAGE.format(
        title=escape(told["title"]),
        version=escape(told["version"]),
        parts="".join(_parts(described)),
    )


def _parts(described: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in described["paths"].items():
        for method, what in methods.items():
            yield f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
            yield f"<p>{escape(what.get('description', ''))}</p>"
    yield "<h2>Records</h2>"
    for name, schema in described.get("components", {}).get("schemas", {}).items():
        shown = escape(json.dumps(schema, indent=2, ensure_ascii=False))
        yield f"<details><summary>{escape(name)}</summary><pre>{shown}</pre></details>"
