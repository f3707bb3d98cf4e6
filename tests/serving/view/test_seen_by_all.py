"""The page for who reads it in either colour scheme, with keys alone, or by ear."""

from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=120_000)  # a busy machine is no failure

CONTRAST = """() => {
  const channels = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = (top, under) => under.map((channel, n) => top[n] * top[3] + channel * (1 - top[3]));
  const light = (color) => color.map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, n) => sum + value * [0.2126, 0.7152, 0.0722][n], 0);
  const ratio = (...both) => {
    const [less, more] = both.map(light).sort((a, b) => a - b);
    return (more + 0.05) / (less + 0.05);
  };
  const ground = (element) => {
    const above = [];
    for (let one = element; one; one = one.parentElement) {
      above.unshift(channels(getComputedStyle(one).backgroundColor));
    }
    return above.reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const seen = (element) => element.checkVisibility() && !element.closest(":disabled");
  const weak = new Set();
  let count = 0;
  const check = (element, what, color, under, least) => {
    count += 1;
    const found = ratio(over(channels(color), under), under);
    const { tagName, className } = element;
    if (found < least) weak.add(`${what} ${tagName}.${className}: ${found.toFixed(2)}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());) {
    const element = text.parentElement;
    if (!text.data.trim() || element.matches("script, style, option") || !seen(element)) continue;
    const style = getComputedStyle(element);
    check(element, "text", element.closest("svg") ? style.fill : style.color, ground(element), 4.5);
  }
  const fields = "select, input:not([type=range], [type=checkbox])";
  for (const field of [...document.querySelectorAll(fields)].filter(seen)) {
    const edge = getComputedStyle(field).borderTopColor;
    check(field, "edge", edge, ground(field.parentElement), 3);
  }
  return { count, weak: [...weak] };
}"""
"""By WCAG 2.2: text has 4.5:1 to what it stands on (1.4.3), the edges of fields 3:1 (1.4.11)."""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4")]
  .filter((one) => one.checkVisibility())
  .map((one) => Number(one.tagName[1]))"""
FOCUSED = """() => {
  const element = document.activeElement, style = getComputedStyle(element);
  return [element.tagName, style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2];
}"""


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: Any, site: str):
    viewport = {"width": 1280, "height": 900}
    with browser.new_context(viewport=viewport, color_scheme=request.param) as context:
        opened = context.new_page()
        opened.goto(site)
        opened.wait_for_selector("#rows button")
        yield opened


def _beside(page: Any) -> None:
    page.select_option("#agent", "hierarchical")
    expect(page.locator("#rows button")).to_have_count(6)
    page.keyboard.press("j")
    page.wait_for_selector("#panels .transport")
    page.keyboard.press("b")
    page.wait_for_selector(".panels.two")


def test_all_text_and_edges_stand_out(page: Any):
    _beside(page)
    page.keyboard.press("ArrowRight")
    page.click("#ask-planner")
    page.wait_for_selector(".alts li", state="attached")
    page.keyboard.press("f")
    page.click(".group summary")
    page.wait_for_selector(".group .rows button")
    page.mouse.move(0, 0)
    failures = page.evaluate(CONTRAST)
    page.keyboard.press("t")
    page.wait_for_selector("#stages tbody tr")
    training = page.evaluate(CONTRAST)
    page.click("#tab-play")
    page.check("#play-paused")
    page.click("#play button")
    expect(page.locator("#live-state")).to_contain_text("paused before")
    live = page.evaluate(CONTRAST)
    for found in (failures, training, live):
        assert found["count"] > 20
        assert found["weak"] == []


@pytest.mark.parametrize("page", ["light"], indirect=True)
def test_focus_is_seen_wherever_tab_leads(page: Any):
    _beside(page)
    page.evaluate("document.activeElement.blur()")
    unseen, name = list[str](), ""
    for _ in range(400):
        page.keyboard.press("Tab")
        name, seen = page.evaluate(FOCUSED)
        if name == "BODY":
            break
        if not seen:
            unseen.append(name)
    assert name == "BODY"  # it leads through all of the page and out of it
    assert unseen == []


@pytest.mark.parametrize("page", ["light"], indirect=True)
def test_keys_are_keys_outside_of_fields_alone(page: Any):
    for key, tab in (("f", "failures"), ("t", "training"), ("e", "episodes"), ("t", "training")):
        page.keyboard.press(key)
        assert page.get_attribute(f"#tab-{tab}", "aria-pressed") == "true"
    page.keyboard.press("/")  # from where there is no search to where there is
    page.keyboard.type("/?jkbpeft")
    assert page.input_value("#text") == "/?jkbpeft"
    assert page.get_attribute("#tab-episodes", "aria-pressed") == "true"
    assert not page.is_visible("#help")
    page.keyboard.press("Escape")
    page.focus("#agent")
    page.keyboard.press("f")
    assert page.get_attribute("#tab-episodes", "aria-pressed") == "true"
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    assert page.get_attribute("#tab-failures", "aria-pressed") == "true"


@pytest.mark.parametrize("page", ["light"], indirect=True)
def test_headings_go_down_one_by_one(page: Any):
    page.keyboard.press("j")
    page.wait_for_selector("#panels .transport")
    assert page.evaluate(HEADINGS) == [1, 2]
    page.keyboard.press("t")
    page.wait_for_selector("#stages tbody tr")
    assert page.evaluate(HEADINGS)[:2] == [1, 2]


@pytest.mark.parametrize("page", ["light"], indirect=True)
def test_a_refused_action_is_named_so(page: Any):
    page.select_option("#agent", "hierarchical")
    expect(page.locator("#rows button")).to_have_count(6)
    page.keyboard.press("j")
    page.get_by_role("button", name="Read all").click()
    refused = page.locator("ol.steps button.refused")
    expect(refused).not_to_have_count(0)
    assert all(one.get_attribute("title") for one in refused.all())
