"""What the docs site reads otherwise than GitHub does, as an extension of Python-Markdown.

Links from docs/ to files beside it are relative, so that they work on GitHub and in an editor; on
the site they lead into the repository, and pictures come along. A link that names a page's file
says the page's title. Examples in docstrings are code. `zensical.toml` names this module.
"""

import base64
import os
import re
from pathlib import Path
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

DOCS = Path(__file__).parents[1] / "docs"
REPOSITORY = "SITE_REPOSITORY"
"""The environment variable that says where the repository's files are read, such as
`https://github.com/OWNER/NAME/blob/main/`. Without it the words of such a link stay alone."""


class Examples(Preprocessor):
    """Indents examples as code is; fences have been taken out of the text by then."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines of a text with its examples indented.

        Args:
            lines: The text.
        """
        text = "\n".join(lines)
        examples = re.compile(r"^>>> (?:.+\n?)+", re.MULTILINE)
        return examples.sub(lambda one: re.sub("(?m)^", "    ", one[0]), text).split("\n")


class Links(Treeprocessor):
    """Rewrites links and pictures of a page; all pages lie side by side in docs/."""

    def run(self, root: Element) -> None:
        """Rewrite those that need it.

        Args:
            root: The page.
        """
        for link in root.iter("a"):
            target = link.get("href", "")
            page = target.partition("#")[0]
            if target.startswith("../"):
                _lead(link, target.removeprefix("../"))
            elif page.endswith(".md") and link.text == page:
                link.text = (DOCS / page).read_text().partition("\n")[0].removeprefix("# ")
        for picture in root.iter("img"):
            if picture.get("src", "").startswith("../"):
                drawn = base64.b64encode((DOCS / picture.attrib["src"]).read_bytes()).decode()
                picture.set("src", f"data:image/svg+xml;base64,{drawn}")


def _lead(link: Element, target: str) -> None:
    """Let a link lead into the repository, or nowhere where that is not known."""
    if repository := os.environ.get(REPOSITORY):
        link.set("href", urljoin(repository, target))
    else:
        del link.attrib["href"]
        link.tag = "span"


class SiteMarkdown(Extension):
    """Adds both to a parser, ahead of the site's own treatment of links."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """Register with a page's parser.

        Args:
            md: The parser.
        """
        md.preprocessors.register(Examples(md), "examples", 15)
        md.treeprocessors.register(Links(md), "outside links", 15)


def makeExtension() -> SiteMarkdown:  # noqa: N802
    """Return the extension; Python-Markdown asks under this name."""
    return SiteMarkdown()
