"""The report in a real browser: it draws, answers to the mouse, sorts and filters, offline and without complaint."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from markupsafe import Markup

import arithjax as aj
from arithjax import report
from arithjax.errors import ArithjaxError
from arithjax.report import page as page_of
from arithjax.report.picture import Picture
from arithjax.tables import loading
from arithjax.tables.described import wrong_entry

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install -e '.[test]'")

TINY = {"widths": (3,), "activation": "relu", "batch": 10, "steps": 30, "examples": 64, "tests": 64}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
NETS = 12
DRAWN = [
    "rates",  # one chart of grades; no rates by choice, since no net learns it; no importance over both operations
    *("curve-relative_rmse", "curve-gradient_norm"),  # no net has a constant answer, nor a dead unit at any step
    *(f"net-{i}-{kind}" for i in (1, 2) for kind in ("truth", "diagonal", "surface")),
]


def question(trial):
    return aj.Setup(
        op=trial.suggest_categorical("op", ["add", "mul"]),
        optimizer=trial.suggest_categorical("optimizer", ["adam", "sgd"]),
        **TINY,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished study with its report."""
    out = tmp_path_factory.mktemp("runs")
    by, about = ("op", "optimizer"), "Which <b> learns?"
    study = aj.Study("tiny", question, sampler="grid", seeds=3, by=by, about=about, curves=2)
    nets = aj.run(study, out)
    described = loading.description(out / "tiny") | {"importance": {"op": 0.75, "optimizer": 0.25}}
    report.write(out / "tiny", nets, described, portraits=2)
    return out / "tiny"


@pytest.fixture(scope="module")
def chromium():
    """A headless Chromium: playwright's own, or the system's."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    with playwright.sync_playwright() as driver:
        own = Path(driver.chromium.executable_path).exists()
        path = None if own else next(filter(None, map(shutil.which, names)), None)
        if not own and path is None:
            pytest.skip("no browser: install one (apt-get install chromium, or playwright install chromium)")
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(chromium):
    """`show(folder, **options)` opens a report with no network; what it complained of or asked for fails the test."""
    contexts, troubles = [], []

    def open_page(folder, unfolded=False, **options):
        context = chromium.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: re.match("file:|blob:|data:", request.url) or troubles.append(request.url))
        page.goto((folder / "report.html").as_uri())
        page.wait_for_selector("html[data-ready=yes]", timeout=240_000)  # a busy machine takes its time
        return unfold(page) if unfolded else page

    yield open_page
    for context in contexts:
        context.close()
    assert not troubles


def some_learn(folder):
    """The table as if one of its setups had learnt it, beyond the range too."""
    nets = loading.load(folder)
    return nets.assign(success=nets.trial == 0, extrapolation_solved=nets.trial == 0)


def unfold(page):
    """Open all that is folded away, and wait until it is drawn."""
    page.evaluate("document.querySelectorAll('.folded > details').forEach(details => details.open = true)")
    page.wait_for_function(
        "[...document.querySelectorAll('figure.chart')].every(figure => figure.querySelector('canvas'))"
        " && (!document.getElementById('setups') || document.querySelector('#setups tbody tr'))",
        timeout=240_000,
    )
    return page


def tooltip_at(page, chart, across, down):
    """What is shown when the mouse rests on a place of a chart, given as shares of its width and height."""
    canvas = page.locator(f"figure[data-name={chart}] canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + across * box["width"] - 3, box["y"] + down * box["height"])
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=3)
    tooltip = page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    return tooltip.inner_text()


def test_the_answer_comes_first_and_all_else_is_drawn_when_it_is_unfolded(folder, show):
    page = show(folder)
    charts = page.locator("figure.chart")
    drawn = charts.locator("canvas")
    meaning = "relative RMSE of at most 1 %, or every result rounds right"
    assert page.locator("h1").inner_text().startswith(f"Learned ({meaning}): add in")
    assert "Which <b> learns?" in page.locator(".kicker").inner_text()
    assert drawn.count() == 0 and page.locator("#setups").is_hidden()  # no net learns it, so that no picture is due
    unfold(page)
    assert drawn.count() == charts.count() == len(DRAWN)
    for i in range(charts.count()):
        box = charts.nth(i).locator("canvas").bounding_box()
        assert box["width"] > 150
        assert box["height"] > 50
    assert "tiny" in page.locator(".command").inner_text()
    for word in ("op", "success rate", "95 % interval", "nets"):
        assert word in tooltip_at(page, "rates", 0.4, 0.41)
    assert "exact" in tooltip_at(page, "net-1-surface", 0.5, 0.6)


def test_learning_curves_name_their_yardsticks(folder):
    kept = loading.load_curves(folder)
    assert kept.groupby(["trial", "seed"]).size().shape == (8,)
    svg = (folder / "figures" / "curve-gradient_norm.svg").read_text()
    assert "gradient norm" in svg


def test_the_table_sorts_and_filters(folder, show):
    page = show(folder, unfolded=True)
    rows = page.locator("#setups tbody tr")
    assert rows.count() == 4
    heading = page.locator("#setups thead td", has_text="median relative RMSE")
    place = heading.evaluate("cell => cell.cellIndex")

    def errors():
        return [float(text) for text in page.locator(f"#setups tbody tr td:nth-child({place + 1})").all_inner_texts()]

    for reverse in (False, True):
        heading.locator(".dt-column-title").click()
        for _ in range(100):  # a busy machine takes its time
            if errors() == sorted(errors(), reverse=reverse):
                break
            page.wait_for_timeout(100)
        assert errors() == sorted(errors(), reverse=reverse)
    assert len(set(errors())) > 1
    page.locator("input[type=search]").first.fill("sgd")
    assert rows.count() == 2


def test_dark_and_light(folder, show):
    def colours(page):
        return page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")

    def lightness(colour):
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    for scheme in ("light", "dark"):
        paper, ink = map(lightness, colours(show(folder, color_scheme=scheme)))
        assert (paper > 200 and ink < 80) if scheme == "light" else (paper < 60 and ink > 180)


def test_a_change_of_theme_draws_again(folder, show):
    page = show(folder, unfolded=True, color_scheme="light")
    before = page.locator("figure[data-name=rates] canvas").evaluate("canvas => canvas.toDataURL()")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "before => { const c = document.querySelector('figure[data-name=rates] canvas'); "
        "return c && c.toDataURL() !== before }",
        arg=before,
    )


def test_on_a_phone_nothing_sticks_out(folder, show):
    page = show(folder, unfolded=True, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [canvas.bounding_box() for canvas in page.locator("figure.chart canvas").all()]
    assert len(boxes) == len(DRAWN)
    for box in boxes:
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize("count", [0, 1, 5])
def test_an_unfinished_study_says_what_is_missing(folder, tmp_path, count, show):
    nets, described = loading.load(folder), loading.description(folder)
    report.write(tmp_path, nets[:count], described, portraits=0)
    page = show(tmp_path, unfolded=True)
    told = page.locator(".notice[role=status]").inner_text()
    assert f"{count} of {NETS} nets are there" in told
    assert "arithjax run tiny --trials 4 --seeds 3" in told
    assert (
        page.locator("figure.chart").count() == page.locator("figure.chart canvas").count() == {0: 0, 1: 1, 5: 2}[count]
    )  # 5 have two choices of an optimiser


def test_a_table_without_its_operation(folder, tmp_path):
    nets = loading.load(folder).assign(op="unheard of")
    page = report.write(tmp_path, nets, {"name": "mine", "trials": 4, "seeds": 3}, portraits=2)
    assert "unknown operation" in page.read_text()


def test_the_same_table_gives_the_same_page(folder, tmp_path):
    nets, described = some_learn(folder), loading.description(folder)
    pages = [report.write(tmp_path, nets, described, portraits=0).read_bytes() for _ in range(2)]
    assert pages[0] == pages[1]
    assert len(pages[0]) < 1_500_000
    figures = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"groups.svg", "rates.svg", "grades.svg", "beyond.svg"} <= figures


@pytest.mark.parametrize("name", ["learning rate", "rate", "nets", "interval", "share", "good", "a.b", "group", "rank"])
def test_a_choice_with_the_name_of_something_else(folder, tmp_path, name):
    """Users' names and those that the page computes never meet."""
    nets = loading.load(folder)
    nets["choices"] = [json.dumps({name: "none" if trial < 2 else "more"}) for trial in nets["trial"]]
    described = {"name": "why", "by": [name, "op"], "show": {"all": f"`{name}` == 'more'"}}
    page = report.write(tmp_path, nets, described, portraits=0)
    assert "cannot be shown" not in page.read_text(encoding="utf-8")
    assert report.default_words(loading.with_choices(nets), [name])


def test_only_figures_of_ours_are_deleted_and_links_lead_nowhere(folder, tmp_path):
    nets, there, elsewhere = some_learn(folder), tmp_path / "study", tmp_path / "elsewhere"
    report.write(there, nets, {"name": "mine", "by": ["op", "optimizer"]}, portraits=0)
    mine = there / "figures/mine.svg"
    mine.write_text("<svg></svg>")
    elsewhere.write_text("not to be touched")
    for name in ("report.html", "figures/grades.svg"):
        (there / name).unlink()
        (there / name).symlink_to(elsewhere)
    report.write(there, nets, {"name": "mine", "by": ["op"]}, portraits=0)
    assert elsewhere.read_text() == "not to be touched"
    assert mine.exists() and not (there / "figures/beyond.svg").exists()
    assert not (there / "report.html").is_symlink()
    for figure in (there / "figures").iterdir():
        figure.unlink()
    (there / "figures").rmdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/drawing.svg").write_text("<svg></svg>")
    (there / "figures").symlink_to(tmp_path / "other")
    with pytest.raises(ArithjaxError, match="cannot write"):
        report.write(there, nets, {"name": "mine"}, portraits=0)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["drawing.svg"]


def test_a_choice_that_is_no_field_of_the_setup(folder, tmp_path):
    nets = loading.load(folder)
    nets["choices"] = [json.dumps({"the.change": "none" if trial < 2 else "more"}) for trial in nets["trial"]]
    page = report.write(tmp_path, nets, {"name": "why", "by": ["the.change"]}, portraits=0)
    assert page.exists()
    assert list(loading.with_choices(nets)["the.change"].unique()) == ["none", "more"]


COMMAND = "arithjax fit mul --widths 3,5 --batch 10 --activation linear,square,linear,linear,linear,square"


@pytest.fixture(scope="module")
def answered(folder, tmp_path_factory):
    """The page of a study whose answer has every kind of picture."""
    nets, out = some_learn(folder), tmp_path_factory.mktemp("answered")
    of = dict(list(nets.groupby("optimizer")))
    line = pd.DataFrame({"x": [0.0, 4.0, 0.0, 4.0], "y": [0.0, 16.0, 0.0, 8.0], "who": ["exact"] * 2 + ["alive"] * 2})
    crowd = pd.DataFrame({"what": ["square", "relu"], "x": [0.01, 1.0], "y": [0.5, 0.0], "named": [True, False]})
    add = nets[nets.op == "add"]
    answer = aj.Answer(
        "Squares <b> mend it.",
        ["One sentence.", "It is right in 99 % (95-100 %) of the seeds where a · b is 10 % " * 5],
        aj.lines("along", "Along a = b", line, x="a = b", y="a · b"),
        [
            aj.dots("ladder", "Step by step", of),
            aj.scatter("alone", "One stands out", crowd),
            aj.sets("together", "Combinations", {("one",): add[add.trial == 0], ("one", "other"): add[add.trial == 1]}),
            aj.grid("cells", "Who learns what", nets, "optimizer", "op"),
            Picture("whole", "At whole numbers", line, "points"),
        ],
        {"A table": pd.DataFrame({"what": ["<i>"], "error": [float("nan")]})},
        {"As a command": COMMAND},
    )
    described = loading.description(folder) | {"answer": json.loads(json.dumps(answer.stored()))}
    assert wrong_entry(described) is None
    report.write(out, nets, described, portraits=0)
    return out


KINDS = ["along", "ladder-add", "ladder-mul", "alone", "together", "cells", "whole"]


def test_a_page_opens_with_the_answer_of_its_study(answered, show):
    page = show(answered)
    assert page.locator("h1").inner_text() == "Squares <b> mend it."
    charts = page.locator("figure.chart:has(canvas)")
    assert [chart.get_attribute("data-name") for chart in charts.all()] == KINDS
    assert page.locator("figure[data-name=along] canvas").bounding_box()["y"] < 400  # beside the sentences
    assert "One sentence." in page.locator(".answer").inner_text()
    assert "rate" in tooltip_at(page, "cells", 0.6, 0.4)
    unfold(page)
    assert page.locator(".folded td", has_text="<i>").count() == 1
    assert {f"{name}.svg" for name in KINDS} <= {path.name for path in (answered / "figures").iterdir()}


def test_an_answer_on_a_phone(answered, show):
    page = show(answered, **PHONE, color_scheme="dark", permissions=["clipboard-read", "clipboard-write"])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for canvas in page.locator("figure.chart canvas").all():
        box = canvas.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    lines = "spans => spans.map(span => span.getClientRects().length)"
    kept = page.locator(".answer p:not(.recipe-line) .whole")
    assert kept.all_inner_texts()[:4] == ["99 %", "(95-100 %)", "a · b", "10 %"]
    assert set(kept.evaluate_all(lines)) == {1}
    options = page.locator(".recipe-line .whole").evaluate_all("spans => spans.map(span => span.offsetHeight)")
    assert len(options) == 4 and len(set(options[:3])) == 1  # those that are shorter than a line stand on one
    page.locator("[data-copy]").first.click()
    page.locator("[data-copy]", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == COMMAND


def test_every_recipe_stands_once_on_a_page(tmp_path):
    recipes = aj.recipes(aj.Setup(op="mul", widths=(4,), activation="square"), aj.Setup(op="mul", widths=(4,)))
    for first in ("As a command", "In Python"):
        found = {first: recipes[first], **recipes}
        text = page_of.offline(tmp_path, aj.Answer("It does.", recipes=found), "why", "", []).read_text()
        assert [text.count(part) for part in ("arithjax fit mul", "net = aj.fit(setup)", "gelu → square")] == [1, 1, 1]
        beside = text[text.index('<div class="answer">') : text.index('<section id="recipe">')]
        assert ("arithjax fit mul" in beside) == (first == "As a command"), "code of several lines stands below"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("51 % (41-61 %) learn", "[51 %] [(41-61 %)] learn"),
        ("at most 0.5 %, 1,024 nets", "at most [0.5 %], 1,024 nets"),
        ("This net learns a + b, 7·a and a - b", "This net learns [a + b], 7·a and [a - b]"),
        ("where a = b = c < 7 holds", "where [a = b = c] &lt; 7 holds"),
        ("a well-known part - not one", "a well-known part - not one"),
        (Markup("<td>99 %</td>"), "<td>[99 %]</td>"),
    ],
)
def test_numbers_and_formulas_stay_whole(text, html):
    assert page_of.whole(text) == html.replace("[", '<span class="whole">').replace("]", "</span>")
