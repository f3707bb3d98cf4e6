"""The docs site is built of docs/: its links lead somewhere, and it fetches nothing."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("zensical")
pytest.importorskip("mkdocstrings_handlers.python")

ROOT = Path(__file__).parents[1]
SETTINGS = "zensical.toml"
REPOSITORY = "https://code.invalid/blob/main/"


class Built(HTMLParser):
    """A page of the site: where its links lead, what it loads, and what a link to it may name.

    Attributes:
        links: What its links say.
        loaded: What the browser fetches to show it.
        names: The names of its parts.
    """

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = {name: value or "" for name, value in attrs}
        self.names |= {given["id"]} if "id" in given else set()
        if "href" in given:
            (self.links if tag == "a" else self.loaded).append(given["href"])
        if "src" in given:
            self.loaded.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site beside the repository, and return its pages by path."""
    place = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "docs", place / "docs")
    shutil.copy(ROOT / SETTINGS, place)
    for name in ("src", "research"):
        (place / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    known = {**os.environ, "SITE_REPOSITORY": REPOSITORY}
    done = subprocess.run(
        command, cwd=place, env=known, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = place / "build" / "site"
    return {path: Built(path.read_text()) for path in folder.glob("*.html")}


def wrong(link: str, page: Path, site: dict[Path, Built]) -> bool:
    """Return whether a link of a page leads nowhere."""
    if link.startswith(REPOSITORY):
        return not (ROOT / unquote(urlsplit(link).path).removeprefix("/blob/main/")).exists()
    parts = urlsplit(link)
    if parts.scheme:
        return False
    target = (page.parent / unquote(parts.path).lstrip("/")).resolve() if parts.path else page
    target = target / "index.html" if target.is_dir() else target
    named = unquote(parts.fragment)
    return not target.exists() or bool(named and named not in site[target].names)


def test_every_link_leads_somewhere(site):
    dead = [
        (page.name, link)
        for page, built in site.items()
        for link in built.links + built.loaded
        if wrong(link, page, site)
    ]
    assert dead == []


def test_nothing_is_fetched_from_elsewhere(site):
    fetched = {link for built in site.values() for link in built.loaded}
    assert {urlsplit(link).scheme for link in fetched} <= {"", "data"}


def test_every_page_stands_in_the_navigation(site):
    told = re.findall(r'"([\w-]+)\.md"', (ROOT / SETTINGS).read_text())
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert sorted(told) == sorted(pages)
    assert {page.stem for page in site} == {*pages, "404"}


def test_the_reference_says_what_the_docstrings_say(site):
    (names,) = (built.names for page, built in site.items() if page.stem == "reference")
    assert {"subgoal.Run.collect", "subgoal.Environment.step", "subgoal.load_agent"} <= names


def test_files_beside_the_pages_are_read_in_the_repository(site):
    (links,) = (built.links for page, built in site.items() if page.stem == "library")
    assert f"{REPOSITORY}examples/own_teacher.py" in links


def test_what_is_built_and_what_is_tested_with_are_one_release():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras["docs"]) <= set(extras["dev"])
