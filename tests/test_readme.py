"""The numbers of README, and of the page of results, are those of the committed tables."""

import html
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

import arithjax as aj
from arithjax import protocols
from arithjax.report import percent, share, words
from arithjax.studies import files
from arithjax.studies.importance import importance
from arithjax.tables import loading, statistics

ROOT = Path(__file__).parents[1]
README, RESULTS = ((ROOT / folder / "README.md").read_text() for folder in (".", "results"))
LABELS = {
    **{
        "NAU": "nau",
        "NMU": "nmu",
        "sNMU": "snmu",
        "NRU": "nru",
        "NMRU": "nmru",
        "RealNPU": "realnpu",
        "iNALU": "inalu",
    },
    **{"NALU": "nalu", "NAC+": "nac_add", "NAC•": "nac_mul", "bilinear": "bilinear", "log-exp": "log_exp"},
    **{"linear net": "linear", "ReLU net": "relu"},
}


def cells(pattern):
    return [[cell.strip() for cell in row.strip("| \n").split("|")] for row in re.findall(pattern, RESULTS, re.M)]


@pytest.fixture(scope="module")
def units():
    return aj.load(ROOT / "results" / "units")


def test_the_answer():
    """Every rate of the opening, in its order, from the table of `why`."""
    nets = loading.with_choices(aj.load(ROOT / "results" / "why"))
    of = dict(list(nets[nets.op == "mul"].groupby("change")))
    holds = [
        nets[(nets.op == "add") & (nets.change == "none")].success,
        of["none"].success,
        of["none"].dead,
        of["squared layer"].success,
        of["all six"].grade == "exact",
    ]
    opening = README[: README.index("## Install")]
    rates = [share(some) for some in holds]
    assert re.findall(r"\d+ % \(\d+-\d+ %\)", opening) == rates
    several = (" + ", "all six", "all but", "none", "mended")
    single = [name for name in of if not any(words in name for words in several)]
    different = {tuple(of[name].sort_values("seed").mse.fillna(np.inf)) for name in single}
    assert f"of {len(different)} single changes" in opening
    assert [name for name in single if of[name].success.sum() > 1] == ["squared layer"]
    living = of["none"][~of["none"].dead]
    a, b = np.indices((500, 500))
    near = [(living.mse / loss_of(x, a * b) - 1).abs() < 0.05 for x in (a + b, np.minimum(a, b))]
    best = "c (a + b)", "c min(a, b)"
    said = " or ".join(f"the best `{which}`, {share(one)}" for which, one in zip(best, near, strict=True))
    assert f"after ten epochs the living are near {said}" in row_of("why")


@pytest.mark.parametrize("folder", sorted(file.parent.name for file in ROOT.glob("results/*/study.json")))
def test_pages_say_what_their_tables_say(folder):
    """The answer kept beside a table is that of the page, and the numbers of nets are those of the table."""
    folder = ROOT / "results" / folder
    page = html.unescape(re.sub("</?span[^>]*>", "", (folder / "report.html").read_text()))
    answer = json.loads((folder / "study.json").read_text()).get("answer") or {}
    assert all(sentence in page for sentence in [answer.get("finding", ""), *answer.get("sentences", [])])
    assert f"{len(aj.load(folder)):,} nets" in page


def test_the_main_study():
    """At its default size, which the larger published one begins with."""
    nets = aj.load(ROOT / "results" / "multiplication")
    study = files.find_study("multiplication")
    answer = study.answer(nets[nets.trial < study.trials])
    assert f"\n> {answer.finding}\n>\n> {' '.join(answer.sentences)}\n" in README
    answer = json.loads((ROOT / "results" / "multiplication" / "study.json").read_text())["answer"]
    first, *_, last = (words.percent(*row[1:4]) for row in answer["pictures"][0]["table"]["data"])
    assert f"{first} of all nets, {last} of those with the square activation" in row_of("multiplication")


def row_of(study):
    (row,) = (row[-1] for row in cells(rf"^\| `arithjax run {study}` .*$"))
    return row


def test_what_operations_says():
    nets = loading.with_choices(aj.load(ROOT / "results" / "operations"))
    nets["beyond"] = nets.success & nets.extrapolation_solved.astype(bool)
    inside, beyond = (nets.groupby(["net", "op"])[name].mean().unstack() for name in ("success", "beyond"))
    learnt, kept = (inside >= 0.5).sum(axis=1), (beyond >= 0.5).sum(axis=1)
    mended, relu, tanh = "the question's, mended", "relu 16-16", "tanh 16-16"
    assert (beyond.loc[mended] >= 0.9).sum() == learnt[mended] == 6
    assert set(learnt.index[learnt == learnt.max()]) == {relu, tanh} and learnt.max() == 10
    assert kept[relu] == kept[tanh] == 0
    divides = nets[(nets.op == "div") & (nets.net == "nru")]
    assert list(beyond.index[beyond["div"] >= 0.5]) == ["nru"] and not inside["mod"].any()
    row = row_of("operations")
    assert f"of {inside.shape[1]} operations mended nets of the question learn 6 in nearly every seed" in row
    assert (
        f"most within it ({learnt.max()}), and in most seeds keep none" in row
        and f"only the NRU divides beyond it in most seeds, {share(divides.beyond)}" in row
    )


def test_what_grokking_says():
    nets = loading.with_choices(aj.load(ROOT / "results" / "grokking"))
    sums = nets[nets.cell == "a + b"]
    right = sums.right_at.notna()
    assert (sums.train_right_at < sums.right_at).all()
    steps = (
        f"after {sums.train_right_at.median():.0f} steps, and 99 % of the other half after {sums.right_at.median():.0f}"
    )
    assert f"{steps}, in {share(right)} of seeds" in row_of("grokking")


def test_what_grokking_97_says():
    of = {
        name: loading.with_choices(aj.load(ROOT / "results" / name)).groupby("cell" if name == "grokking" else "rule")
        for name in ("grokking", "grokking_97")
    }
    small, large = (nets.right_at.apply(lambda steps: steps.notna().mean()) for nets in of.values())
    found = large[large >= 0.5].index
    (gained,) = set(found) & set(small[small == 0].index)
    wide = of["grokking"].widths.unique()[gained]
    words = {6: "six", 8: "eight"}
    row = row_of("grokking_97")
    assert f"find {words[len(found)]} of the {words[len(of['grokking_97'])]} rules, among them `{gained}`, which" in row
    assert f"which no net of {wide[0]} squares finds modulo 31" in row and len(wide) == 1


def test_what_smallest_says():
    nets = aj.load(ROOT / "results" / "smallest")
    sizes = nets[nets.grade == "exact"].groupby("op").parameters.min()
    fewest, most = (", ".join(f"`{op}`" for op in sizes.index[sizes == end]) for end in (sizes.min(), sizes.max()))
    said, answer = row_of("smallest"), json.loads((ROOT / "results" / "smallest" / "study.json").read_text())["answer"]
    assert len(sizes) == nets.op.nunique() == 8
    assert f"from {sizes.min()} parameters ({fewest}) to {sizes.max()} ({most}); a product takes {sizes['mul']}" in said
    fresh = re.search(
        rf"for products has {sizes['mul']} parameters; from fresh seeds (.*?) are exact", " ".join(answer["sentences"])
    )
    assert said.endswith(f"exact in {fresh[1]} of fresh seeds")


def test_what_scaling_says():
    nets = loading.with_choices(aj.load(ROOT / "results" / "scaling"))
    finding = files.find_study("scaling").answer(nets).finding
    assert all(sentence.rstrip(".").lower() in row_of("scaling").lower() for sentence in finding.split(". "))


def test_what_encodings_says():
    nets = loading.with_choices(aj.load(ROOT / "results" / "encodings"))
    nets["right"], nets["heart"] = nets.exact.fillna(nets.accuracy) >= 0.99, nets.train_exact >= 0.99
    of = nets.groupby(["operation", "shown", "answered", "width"])[["right", "heart"]].mean()
    best = of.right.groupby("operation").max() >= 0.5
    plain = of.right.xs(("standardize", "standardize"), level=("shown", "answered")).groupby("operation").max() >= 0.5
    row, heart = row_of("encodings"), of.heart.groupby("operation").max() >= 0.5
    assert f"all {heart.sum()} operations are learnt by heart, {best.sum()} of them also" in row and heart.all()
    assert set(plain.index[plain]) == {"add", "sub", "max", "equal"} and set(best.index[best & ~plain]) == {"xor"}
    assert not best[["mod", "gcd", "parity", "mul", "mulmod:16"]].any()


def test_what_exact_says():
    nets = loading.with_choices(aj.load(ROOT / "results" / "exact"))
    exact = (nets.grade == "exact").groupby(nets.cell).mean()
    units = {"nmu", "snmu", "nac_mul_sigmoid", "inalu", "log_exp", "bilinear", "quadratic"}
    assert units == set(exact.index[exact == 1]) & set(nets.model)
    four, sixteen = (nets[nets.cell.str.startswith(f"gelu 2-{width}-1")] for width in (4, 16))
    assert set(four.parameters) == {17} and not (sixteen.grade == "exact").any()
    assert f"second-order steps, {share(four.grade == 'exact')} of nets of four gelu units (17 param" in row_of("exact")
    assert not (nets[nets.activation == "relu"].grade == "exact").any()


def test_speed():
    rows = json.loads((ROOT / "results" / "bench" / "cpu.json").read_text())["rows"]
    of = {row["way"]: row for row in rows if row["net"] == "question"}
    study = json.loads((ROOT / "results" / "bench" / "cpu-study.json").read_text())["study"]
    text = " ".join(README.split())
    assert (
        f"trains at {of['arithjax']['rate']:,.0f} steps a second, {of['jit(vmap)']['ratio']:,.1f} times a `jit(vmap)`"
        in text
    )
    assert f"of Flax and {of['Keras fit']['ratio']:,.1f} times Keras" in text
    lines = json.loads((ROOT / "results" / "bench" / "1-x-nvidia-h200.json").read_text())["lines"]
    assert all(line["passed"] for line in lines.values())
    there = {(row["net"], row["way"]): row for line in lines.values() for row in line.get("rows", ())}
    ours, usual = there["question", "arithjax"], there["question", "jit(vmap)"]
    assert f"H200 it trains at {ours['rate']:,.0f} steps a second, {usual['ratio']:.1f} times `jit(vmap)` there" in text
    assert f"a 2-8-8-1 net {there['2-8-8-1', 'jit(vmap)']['ratio']:.1f} times" in text
    wide = [1 / there[net, "jit(vmap)"]["ratio"] for net in ("2-16-16-1", "2-64-64-1")]
    assert f"to TF32, less exact, and is up to {max(wide):.1f} times faster" in text
    assert min(there[net, "jit(vmap), float32"]["ratio"] for net in ("2-16-16-1", "2-64-64-1")) > 0.9
    size = f"a mixed study of {study['trials'] * study['seeds']:,} nets from an empty cache"
    assert f"{size} {study['ratio']:.1f} times faster than the usual way" in text


def test_why():
    """What README shows of the answer is what the answer says."""
    answer = json.loads((ROOT / "results" / "why_mul" / "answer.json").read_text())
    shown = README[README.index("$ arithjax why") :]
    shown = shown[: shown.index("```")]
    assert answer["finding"] in shown
    rates = re.findall(r"(\d+) % \((\d+)-(\d+) %\)", shown)
    steps = [(one["rate"], one["low"], one["high"]) for one in answer["path"]]
    assert [tuple(f"{100 * number:.0f}" for number in step) for step in steps] == rates[-len(steps) :]
    assert answer["rate"]["before"] == 0 and answer["rate"]["after"] > 0.9


def loss_of(x, t):
    """That of the best multiple of x as an answer for t."""
    return np.mean(t**2) - np.mean(x * t) ** 2 / np.mean(x**2)


def test_sizes_of_studies():
    rows = cells(r"^\| `arithjax run \w+` .*$")
    assert len(rows) >= 7
    for command, count, _ in rows:
        assert count == f"{len(aj.load(ROOT / 'results' / command.strip('`').split()[-1])):,}"


def test_published_cells(units):
    ours = protocols.compare(units)
    assert len(ours) == 36 and ours.inside.all() and ((ours["mean"] / ours.published_mean - 1).abs() < 0.08).all()
    assert f"{len(protocols.PUBLISHED)} of four papers" in RESULTS
    ours = ours.set_index("cell")
    rows = cells(r"^\| (?:nmu|nau) \| (?:mul|add) \| .*$")
    assert len(rows) == 9
    for unit, op, interval, rate, published, step, published_step in rows:
        cell = ours.loc[f"{unit} {op} interpolation={interval[2:-1].replace(' ', '')}"]
        assert rate == f"{cell.rate:.2f} ({cell.low:.2f}-{cell.high:.2f})" and published == f"{cell.published:.2f}"
        assert (step, published_step) == (f"{cell['mean']:,.0f}", f"{cell.published_mean:,.0f}")


def test_what_reproduction_says():
    nets = loading.with_choices(aj.load(ROOT / "results" / "reproduction"))
    answer = files.find_study("reproduction").answer(nets)
    rates, errors = answer.tables.values()
    said = row_of("reproduction")
    assert f"{len(rates) + len(errors)} more published cells" in said
    assert f"{rates.inside.sum()} of {len(rates)} rates and {errors.inside.sum()} of {len(errors)} mean errors" in said
    apart = rates[~rates.inside.astype(bool)]
    ported = apart.remark.str.extract(r"script: (\d+) of (\d+)").astype(int)
    ours = (apart.rate * apart.nets).round().astype(int)
    tables = zip(ours, apart.nets, ported[0], ported[1], strict=True)
    p = [fisher_exact([[s, n - s], [k, m - k]]).pvalue for s, n, k, m in tables]
    assert f"each of the {len(p)} rates outside" in said and min(p) > 0.3


def test_what_units_deep_says():
    nets = loading.with_choices(aj.load(ROOT / "results" / "units_deep"))
    text = " ".join(RESULTS.split())

    def rate(cell):
        cell = nets[nets.cell == cell]
        low, high = statistics.wilson(cell.success.sum(), len(cell))
        return f"{cell.success.mean():.2f} ({low:.2f}-{high:.2f})"

    sums = {name: protocols.compare(nets[nets.cell == f"{name} n=100 add"]).iloc[0] for name in ("nau", "nac_add")}
    of = {name: (rate(f"{name} n=100 add"), f"{ours['median']:,.0f}") for name, ours in sums.items()}
    theirs = {name: f"{ours.published:.2f}, at {ours.published_median:,.0f})" for name, ours in sums.items()}
    text_of_nau = f"NAU in {of['nau'][0]} of them within 50,000 steps, in the median at {of['nau'][1]} (published: "
    assert text_of_nau + theirs["nau"] in text
    assert f"NAC+ in {of['nac_add'][0]} within 500,000, at {of['nac_add'][1]} ({theirs['nac_add']}" in text
    published = protocols.compare(nets)
    assert published.inside.all() and f"all {len(published)} published rates lie within our intervals" in text
    products = {"NMU": "nmu", "NAC•σ": "nac_mul_sigmoid", "NAC•": "nac_mul"}
    assert ", ".join(f"{name} {rate(f'{unit} n=10 mul')}" for name, unit in products.items()) in text


def test_what_decides_for_products():
    nets = aj.load(ROOT / "results" / "learning_rate")
    of = importance(nets, files.find_study("learning_rate"))
    rate, optimizer, unit = (percent(*of[name]) for name in ("learning_rate", "optimizer", "unit"))
    text = " ".join(RESULTS.split())
    assert f"the rate carries {rate} of the importance for being among the best tenth" in text
    assert f"interpolation error), the optimiser {optimizer} and the unit {unit}." in text


def test_rates_over_all_ranges(units):
    groups = units.groupby(["model", "activation", "op"]).success
    rates, counts = groups.mean(), groups.size()
    assert {*counts} <= {225, 200}  # of division 200
    ends = statistics.wilson(groups.sum(), counts)
    widest = max(np.abs(end - rates).max() for end in ends)
    assert f"of 225 nets or 200, so that 95 % intervals reach at most {widest:.2f} to" in " ".join(RESULTS.split())
    rows = [row for row in cells(r"^\| .*$") if row[0] in LABELS]
    assert len(rows) == len(LABELS)
    for label, *shown in rows:
        name = LABELS[label]
        key = ("mlp", name) if name in ("linear", "relu") else (name, "linear")
        of = [rates[(*key, op)] for op in ("add", "sub", "mul", "div")]
        assert shown == [f"{rate:.3f}" if 0.995 <= rate < 1 else f"{rate:.2f}" for rate in of]


def test_what_there_is():
    units = [model for model in aj.MODELS.values() if model.stackable and model.name != "dense"]
    counts = {
        "operations and families of them": aj.OPERATIONS,
        "transforms": aj.TRANSFORMS,
        "activations": aj.ACTIVATIONS,
    }
    text = README[README.index("## What there is") :]
    assert all(f"{sum(map(members.ours, members))} {what}" in text for what, members in counts.items())
    assert f"{len(units)} arithmetic units" in text and f"{len(protocols.PUBLISHED)} published numbers" in text
    assert len(README.encode()) <= 7 * 1024
    pages = {"results": "study.json", "sweeps": "*.py"}
    found = {
        folder: len(list((ROOT / folder).glob(f"*/{name}" if folder == "results" else name)))
        for folder, name in pages.items()
    }
    words = {12: "twelve", 13: "thirteen", 14: "fourteen", 15: "fifteen", 16: "sixteen"}
    assert all(f"[{folder}]({folder}/README.md) has {words[count]}" in README for folder, count in found.items())


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in (ROOT / "results").glob("*/study.json")))
def test_every_folder_of_results_is_read(folder):
    described = loading.description(ROOT / "results" / folder)
    assert described["name"] == folder and not aj.load(ROOT / "results" / folder).empty
