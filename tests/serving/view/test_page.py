"""The page in a browser."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
from subgoal.evaluation.summary import journal, played
from subgoal.progress import Progress
from subgoal.record import Record
from subgoal.serving.view.app import view_app
from subgoal.storage.run_folder import RunFolder
from subgoal.training.log import LogLine, log

expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=120_000)  # a busy machine is no failure
ATTACK = "</script><img src=x onerror=window.hurt=1>"
HIDDEN = "a\u202egnp.exe \u0627 \U0001f469\u200d\U0001f52c"
SHOWN = HIDDEN.replace("\u202e", "\\u202e")


@pytest.fixture
def page(browser: Any, site: str):
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        opened = context.new_page()
        wrong: list[str] = []
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else 0)
        opened.goto(site)
        opened.wait_for_selector("#rows button")
        yield opened
        assert wrong == []


def test_keys_go_through_episodes_and_steps(page: Any):
    page.keyboard.press("j")
    page.wait_for_selector("#panels .transport")
    first = page.text_content("#title")
    assert page.text_content(".count").startswith("step 1 of")
    page.keyboard.press("ArrowRight")
    assert page.text_content(".count").startswith("step 2 of")
    assert page.get_attribute("ol.steps button[aria-current] .number", "class") == "number"
    page.keyboard.press("j")
    expect(page.locator("#title")).not_to_have_text(first)
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")
    page.keyboard.press("/")
    page.keyboard.type("no such words")
    expect(page.locator("#found")).to_have_text("0 episodes")


def test_an_episode_is_read_like_a_conversation(page: Any):
    page.select_option("#agent", "oracle")
    expect(page.locator("#rows button")).to_have_count(6)
    page.keyboard.press("j")
    page.get_by_role("button", name="Read all").click()
    steps = page.locator("ol.steps li").count()
    expect(page.locator("ol.steps .said:visible")).to_have_count(steps)
    page.get_by_role("button", name="Read all").click()
    expect(page.locator("ol.steps .said")).to_have_count(0)


def test_two_agents_stand_side_by_side(page: Any):
    page.select_option("#agent", "hierarchical")
    expect(page.locator("#rows button")).to_have_count(6)
    page.keyboard.press("j")
    page.wait_for_selector("#panels .transport")
    page.keyboard.press("b")
    page.wait_for_selector(".panels.two")
    page.keyboard.press("ArrowRight")
    counts = page.locator(".count").all_text_contents()
    assert [text.split(" of")[0] for text in counts] == ["step 2", "step 2"]
    page.reload()  # the address names what is open
    page.wait_for_selector(".panels.two")


def test_failures_are_shown_in_groups(page: Any):
    page.keyboard.press("f")
    page.wait_for_selector(".group summary")
    page.click(".group summary")
    page.wait_for_selector(".group .rows button")
    page.keyboard.press("j")
    page.wait_for_selector("#left:not([hidden])")
    step = page.text_content("#left button")
    page.click("#left button")
    assert page.text_content(".count").lower().startswith(step.lower())


def test_a_training_is_watched_while_it_runs(
    browser: Any, tmp_path: Path, served: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("subgoal.progress._FILE_SECONDS", 0)
    folder = RunFolder(tmp_path / "run")

    def line(step: int, **held: float) -> None:
        with closing(log(folder / "training/both/log.jsonl")) as journal:
            told = {
                "step": step,
                "tokens": 100 * step,
                "seconds": step,
                "loss": 1 / step,
                "rate": 1,
            }
            journal.append(LogLine.model_validate({**told, **held}))

    with (
        folder.stage("train-both", Record()) as stage,
        Progress("train both", 900, "tokens") as work,
        served(view_app([folder.path])) as url,
        browser.new_context() as context,
    ):
        line(1)
        page = context.new_page()
        page.goto(url)  # there is nothing to see yet but the training
        expect(page.get_by_role("progressbar", name="train both")).to_be_visible()
        expect(page.locator("#training-state")).to_have_text("train-both running")
        page.click("#charts summary")
        expect(page.locator("#charts tbody tr")).to_have_count(1)
        work.advance(300, note="loss 0.5")
        line(3, dev_loss=0.7, score=20.0)
        expect(page.locator("#work")).to_contain_text("300 of 900 tokens")
        expect(page.locator("#charts details[open] tbody tr")).to_have_count(2)
        expect(page.get_by_role("img", name="Score on dev: both, validation 20.0")).to_be_visible()
        work.advance(600)
        stage.finish({})
        page.keyboard.press("e")
        expect(page.locator("#training")).to_be_hidden()
        page.keyboard.press("t")
        expect(page.locator("#training")).to_be_visible()
        expect(page).to_have_url(f"{url}#t=run")


def test_what_worlds_and_models_wrote_is_text(browser: Any, run: Path, tmp_path: Path, served: Any):
    episode = played(RunFolder(run), "test", "oracle")[0]
    steps = [step.model_copy(update={"action": ATTACK, "subgoal": f"find({ATTACK})",
                                     "observation": HIDDEN}) for step in episode.steps]  # fmt: skip
    task = episode.task.model_copy(update={"name": ATTACK, "description": ATTACK})
    store = journal(RunFolder(tmp_path / "hostile"), "test", "oracle")
    store.append(episode.model_copy(update={"task": task, "steps": tuple(steps), "error": ATTACK}))
    store.close()
    with served(view_app([tmp_path / "hostile"])) as url, browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        page.wait_for_selector("#rows button")
        page.keyboard.press("j")
        page.wait_for_selector("#panels .transport")
        assert page.locator(".pill").first.text_content() == f"find({ATTACK})"
        assert page.locator("ol.steps .said, pre.answer:visible").first.text_content() == SHOWN
        assert page.evaluate("window.hurt") is None
        assert page.locator("#stage img").count() == 0


def test_a_phone_shows_all_of_it(browser: Any, site: str):
    with browser.new_context(viewport={"width": 360, "height": 740}) as context:
        page = context.new_page()
        page.goto(site)
        page.wait_for_selector("#rows button")
        page.keyboard.press("j")
        page.wait_for_selector("#panels .transport")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_every_control_has_a_name(page: Any):
    page.keyboard.press("j")
    page.wait_for_selector("#panels .transport")
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter((one) => "
        "!one.textContent.trim() && !one.ariaLabel && !(one.labels && one.labels.length))"
        ".map((one) => one.outerHTML)"
    )
    assert nameless == []


def test_a_person_steers_an_episode(page: Any):
    page.click("#tab-play")
    expect(page.locator("#play-type option")).not_to_have_count(0)
    page.check("#play-paused")
    page.click("#play button")
    expect(page.locator("#live-state")).to_contain_text("paused")
    page.click("#live-step")
    expect(page.locator("ol.steps li")).to_have_count(1)
    page.click("#live-take")
    page.fill("#live-action", ATTACK)
    page.click("#live-act button")
    expect(page.locator(".action")).to_have_text(ATTACK)
    expect(page.locator(".card .meta")).to_contain_text("typed by a person")
    page.fill("#live-subgoal", "find(thermometer)")
    page.click("#live-plan button")
    page.fill("#live-action", "look around")
    page.click("#live-act button")
    expect(page.locator(".pill")).to_have_text("find(thermometer)")
    page.click("#live-leave")
    expect(page.locator("#live-pause")).to_be_disabled()


def test_another_sub_goal_is_tried_beside_the_recorded_one(page: Any):
    page.select_option("#agent", "hierarchical")
    expect(page.locator("#rows button")).to_have_count(6)
    page.keyboard.press("j")
    page.click("#ask-planner")
    page.wait_for_selector(".alts li", state="attached")
    page.fill("details[open] .alts input", "find(thermometer)")
    page.click("details[open] .alts form button")
    page.wait_for_selector(".panels.two")
    second = page.locator(".panels > div").nth(1)
    expect(second.locator(".band", has_text="find(thermometer)")).not_to_have_count(0)


def test_the_list_grows_by_itself(browser: Any, run: Path, tmp_path: Path, served: Any):
    folder = RunFolder(tmp_path / "grows")
    episodes = played(RunFolder(run), "test", "random_action")

    def play(agent: str, number: int) -> None:
        with closing(journal(folder, "test", agent)) as store:
            store.append(episodes[number].model_copy(update={"agent": agent}))

    play("random_action", 0)
    with served(view_app([folder.path])) as url, browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        expect(page.locator("#rows button")).to_have_count(1)
        page.click("#rows button")
        page.wait_for_selector("#panels .transport")
        page.focus("#rows button")
        play("random_action", 1)
        expect(page.locator("#rows button")).to_have_count(2)
        expect(page.locator("#found")).to_have_text("2 episodes")
        assert page.evaluate("document.activeElement.matches('#rows li:first-child button')")
        play("flat", 0)  # another agent, on the task that is open
        expect(page.locator("#rows button")).to_have_count(3)
        expect(page.locator("#beside option")).to_have_count(2)
        page.keyboard.press("f")
        failed = sum(not episode.solved for episode in episodes[:2]) + (not episodes[0].solved)
        expect(page.locator("#found")).to_contain_text(f"{failed} failure")
        page.click("h1")
        play("flat", 1)
        failed += not episodes[1].solved
        expect(page.locator("#found")).to_contain_text(f"{failed} failure")


def test_the_episode_chosen_last_is_the_one_that_opens(page: Any):
    asked: list[Any] = []

    def hold(route: Any) -> None:
        asked.append(route)

    page.route("**/api/episode?**", hold)
    page.keyboard.press("j")
    page.locator("#rows button").nth(2).click()
    second = page.locator("#rows button").nth(2).get_attribute("data-key")
    while len(asked) < 2:
        page.wait_for_timeout(20)
    asked[1].continue_()
    page.wait_for_selector("#panels .transport")
    with page.expect_response("**/api/episode?**"):
        asked[0].continue_()  # the first answer comes last
    page.wait_for_timeout(200)
    assert page.get_attribute("#rows button[aria-current]", "data-key") == second
    page.unroute("**/api/episode?**")


def test_a_live_episode_goes_when_another_one_is_opened(page: Any):
    page.click("#tab-play")
    expect(page.locator("#play-type option")).not_to_have_count(0)
    page.check("#play-paused")
    page.click("#play button")
    expect(page.locator("#live-state")).to_contain_text("paused before")
    page.click("#live-leave")
    expect(page.locator("#live-pause")).to_be_disabled()
    page.keyboard.press("e")
    page.click("#rows button")
    page.wait_for_selector("#title")
    expect(page.locator("#live")).to_be_hidden()
