"""Scores and predictions -> tables on stdout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.table import Table
from rich.text import Text

from hmsstore import PatternClass, Store
from hmsstore.plain.screen import Screen, column_blocks
from hmsstore.plain.text import plain
from hmstrain.cli.console import note, print_text, warn
from hmstrain.runs.outcome import Alignment, Constant, Outcome, Scores, score_text
from hmstrain.scoring.metrics import shown_in
from hmstrain.words import clock, plural

if TYPE_CHECKING:
    from hmstrain.prediction.predict import Predictions
    from hmstrain.prediction.seizures.score import SeizureScores
    from hmstrain.scoring.comparison.results import Comparison
    from hmstrain.scoring.tested import Tested
    from hmstrain.studies.ablation_table import Ablation
    from hmstrain.studies.recipe_page import Cooked
    from hmstrain.studies.study_table import Study

GAP = 2
"""Characters between two columns."""
WIDE = 200
"""Columns of a table that goes into a file or another program."""
MOST_RECORDINGS = 30
"""That are listed one by one at a terminal; --json has them all."""
UNDEFINED = "n/a"
STUDY_COLUMNS = ("kl_votes", "95% interval", "accuracy", "f1_macro", "report KL")
"""Of a study, at a terminal; study.md holds the others."""


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, last: str = "") -> None:
    """Print a table without lines.

    Columns that do not fit beside the others follow below, after the first column once more.

    Parameters
    ----------
    header : sequence of str
        Titles of its columns. Those that begin with '>' stand to the right.
    last : str
        A line below.
    """
    titles = [plain(title.removeprefix(">")) for title in header]
    right = [place for place, title in enumerate(header) if title.startswith(">")]
    columns = [[*map(plain, column)] for column in zip(titles, *rows, strict=True)]
    screen = Screen() if Screen().is_terminal else Screen(width=WIDE)
    for place, block in enumerate(column_blocks(columns, screen.width, GAP, whole=right)):
        if place:
            screen.print()
        table = Table(box=None, pad_edge=False)
        for number, width in block.items():
            table.add_column(
                Text(titles[number]),
                justify="right" if number in right else "left",
                overflow="fold",
                width=width,
            )
        for row in zip(*(columns[number][1:] for number in block), strict=True):
            table.add_row(*map(Text, row))
        screen.print(table)
    if last:
        print_text(last)


def print_outcome(outcome: Outcome, store: Store, *, answers: bool = True) -> None:
    """Print a finished run's scores, and what its store's users should know.

    Parameters
    ----------
    answers : bool
        Whether the run's network gives probabilities, which can be scored.
    """
    _print_several(outcome)
    if not answers:
        if outcome.alignment is not None:
            print_alignment(outcome.alignment, "held-out patients")
    elif outcome.test is None:
        validated = (outcome.best_value, outcome.valid_kl_votes, outcome.out_of_fold)
        if any(found is not None for found in validated):
            note("The store has no test split; validation scores are in metrics.json.")
        else:
            note("The store has no test split, and no fold was held out: there are no scores.")
    else:
        titles = outcome.store.class_titles
        print_scores("test", titles, outcome.test, outcome.constant, outcome.alignment)
    warn_of(store)
    if outcome.leaks and outcome.test is not None:
        warn("Patients leak between training and test: these scores are too good.")


def print_tested(found: Tested, store: Store) -> None:
    """Print a run's scores on a store, and what its users should know."""
    titles = store.spec.class_titles
    print_scores(found.split, titles, found.test, found.constant, found.alignment)
    print_by_context(found.by_context)
    warn_of(store)
    for message in found.warnings:
        warn(message)


def print_by_context(found: Mapping[str, Scores]) -> None:
    """Print scores of windows with full and with partial context by themselves, if any."""
    if not found:
        return
    parts = [f">{name} ({part.windows:,})" for name, part in found.items()]
    print_table(
        ["by observed context", *parts],
        [
            [score.label, *(score_text(part.get(score.key)) for part in found.values())]
            for score in shown_in("constant")
        ],
    )


def warn_of(store: Store) -> None:
    """Print a store's warnings: wherever scores on it are printed."""
    for message in store.info["warnings"]:
        warn(message)


def print_scores(
    split: str,
    titles: Sequence[str],
    found: Scores,
    constant: Constant | None,
    alignment: Alignment | None,
) -> None:
    """Print every score of a split, beside those of the constant prediction.

    Parameters
    ----------
    titles : sequence of str
        Titles of the classes.
    """
    counts = {"votes": f" ({found.windows_votes:,})", "hi": f" ({found.windows_hi:,})"}
    windows, patients = plural(found.windows, "window"), plural(found.patients, "patient")
    header = [f"{windows}, {patients}", f">{split}", "95% interval"]
    if constant is not None:
        header.append(">constant")
    rows = []
    for score in shown_in("final"):
        interval = found.intervals.get(score.key)
        cells = [
            score.label + counts.get(score.over, ""),
            score_text(found.get(score.key)),
            "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}",
        ]
        if constant is not None:
            compared = score.key in constant.values
            cells.append(score_text(constant.get(score.key)) if compared else "")
        rows.append(cells)
    by_class = zip(titles, found.kl_per_class.values(), strict=True)
    parts = ", ".join(f"{title} {score_text(value)}" for title, value in by_class)
    print_table(header, rows, last=f"KL by class, adding up to that of all windows: {parts}")
    if found.tied:
        print_text(found.ties)
    if alignment is not None:
        print_alignment(alignment, "patients")


def print_alignment(found: Alignment, who: str) -> None:
    """Print how well embeddings match, over windows of so many patients."""
    print_text(
        f"Embeddings of EEG and spectrogram, {found.patients:,} {who}: cosine "
        f"{found.positive_cosine:.2f} matched, {found.negative_cosine:.2f} mismatched; "
        f"retrieval@1 {found.retrieval_at_1:.1%}, chance {found.chance:.1%}."
    )


def print_comparison(found: Comparison) -> None:
    """Print a comparison: as Markdown, or at a terminal its main table."""
    from hmstrain.reporting.comparison import table

    if not Screen().is_terminal:
        print(table.to_markdown(found))
        return
    print_text(f"{table.title(found)}:")
    header = [table.SHORT_HEADER[0], *(f">{title}" for title in table.SHORT_HEADER[1:])]
    print_table(header, table.short_lines(found))
    print_text(f"'less': less {found.reference}. {table.explanation(found)}")
    levels = [f">{title}" if title in table.NUMBERS else title for title in table.LEVELS_HEADER]
    print_table(levels, table.populations(found), last=table.LEVELS_NOTE)
    rows = table.experts(found)
    if rows:
        header = [f">{title}" for title in table.EXPERTS_HEADER[1:-1]]
        header = [table.EXPERTS_HEADER[0], *header, table.EXPERTS_HEADER[-1]]
        print_table(header, rows, last=table.experts_note(found))


def print_study(table: Study) -> None:
    """Print a study: as Markdown, or at a terminal the columns that there is room for."""
    from hmstrain.studies.study_table import columns

    if not Screen().is_terminal:
        print(table.to_markdown())
        return
    titles = columns()
    places = [titles.index(title) for title in STUDY_COLUMNS]
    cells = [(row.system.name, row.cells()) for row in table.rows]
    print_text(f"{table.title}:")
    print_table(
        ["system", *(f">{title}" for title in STUDY_COLUMNS)],
        [[name, *(texts[place] for place in places)] for name, texts in cells],
        last=table.explanation(),
    )


def _print_several(outcome: Outcome) -> None:
    """Say how the folds and seeds of a run of several networks did."""
    found = outcome.out_of_fold
    if found is not None:
        print_text(
            f"Out of fold, {plural(found.windows, 'window')}: KL {score_text(found['kl'])}, "
            f"{score_text(found['kl_votes'])} over one window per EEG and votes; "
            f"accuracy {score_text(found['accuracy'])}."
        )
    number = max(1, len(outcome.folds)) * max(1, len(outcome.seeds))
    said = []
    for word, spreads in (
        ("fold", outcome.test_of_single_folds),
        ("seed", outcome.test_of_single_seeds),
    ):
        alone = spreads.get("kl_votes")
        if alone is not None:
            said.append(f"{alone.mean:.3f} +- {alone.std:.3f} of single {word}s")
    if said:
        print_text(
            f"The test scores below are of the mean prediction of all {number} networks. KL over "
            f"one window per EEG and votes: {', '.join(said)}."
        )


def print_recipe(cooked: Cooked) -> None:
    """Print what a recipe came to: its members and their answer, what was kept and why."""
    print_table(cooked.header(), cooked.rows(), last=cooked.explanation())
    for text in cooked.answered.notes:
        print_text(text)
    if cooked.predicts:
        print_text(f"To predict with it: {cooked.predicts}")


def print_ablation(table: Ablation) -> None:
    """Print an ablation: as Markdown, or at a terminal the columns that there is room for."""
    from hmstrain.studies.ablation_table import HEADER

    if not Screen().is_terminal:
        print(table.to_markdown())
        return
    shown = ("kl_votes", "kl_votes less base", "kl_votes paired 95%", "kl_hi less base")
    places = [HEADER.index(title) for title in shown]
    print_table(
        ["factor", *(f">{title}" for title in shown)],
        [[cells[0], *(cells[place] for place in places)] for cells in table.cells()],
        last=table.explanation(),
    )
    for text in table.notes:
        note(text)


def print_predicted(predicted: Predictions) -> None:
    """Print what the model answers, of windows or of recordings; scores where there are votes."""
    from hmstrain.prediction.episodes import heading

    found, prediction = predicted.summary, predicted.prediction
    classes = [PatternClass(**one) for one in found["classes"]]
    titles = [heading(one) for one in classes]
    if found["recordings"]:
        _print_recordings(found, titles)
    else:
        known = predicted.context.judged
        chosen = np.bincount(prediction[known].argmax(axis=1), minlength=len(titles))
        shares = chosen / max(chosen.sum(), 1)
        print_text("Most probable class, share of windows:")
        print_table(
            ["", *(f">{title}" for title in titles)],
            [[plural(found["windows"], "window"), *(f"{share:.0%}" for share in shares)]],
        )
    scored = predicted.scored
    if scored is not None:
        print_text("Windows with votes:")
        print_scores("score", [one.title for one in classes], scored.scores, scored.constant, None)
        print_by_context(scored.by_context)


def _print_recordings(found: Mapping[str, Any], titles: Sequence[str]) -> None:
    """Print how long each recording is, its episodes, and the classes over the threshold."""
    from hmstrain.prediction.episodes import EpisodeRule

    if "share_of_windows_over_threshold" not in found["recordings"][0]:
        print_table(
            ["", ">length, h:mm:ss", ">windows"],
            [
                [one["file"], clock(one["seconds"]), f"{one['windows']['all']:,}"]
                for one in found["recordings"]
            ],
            last="Probabilities only: this run gives no episodes.",
        )
        return
    rule = EpisodeRule(**found["episode_rule"])
    print_text("Share of windows over the threshold:")
    print_table(
        ["", ">length, h:mm:ss", ">episodes", *(f">{title}" for title in titles)],
        [
            [
                one["file"],
                clock(one["seconds"]),
                f"{one['episodes']:,}",
                *(f"{share:.0%}" for share in one["share_of_windows_over_threshold"].values()),
            ]
            for one in found["recordings"]
        ],
        last=f"Episodes: {rule.words}.",
    )


def print_seizure_scores(found: SeizureScores) -> None:
    """Print how seizure-like events do against a reader's."""
    from hmstrain.prediction.seizures.measures import RATIOS

    parts = found.events, found.samples
    rows = [
        ["reader's seizures", *(f"{one.reference:,}" for one in parts)],
        ["found", *(f"{one.found:,}" for one in parts)],
        ["false alarms", *(f"{one.false:,}" for one in parts)],
    ]
    for name, title in RATIOS.items():
        digits = 1 if name == "false_per_day" else 3
        rows.append([title, *(_ratio_text(getattr(one, name), digits) for one in parts)])
    length = f"{plural(len(found.recordings), 'recording')}, {clock(found.seconds)} (h:mm:ss)"
    print_table([length, ">by event", ">by sample of 1 s"], rows)
    latency = found.latency
    if latency is not None:
        print_text(
            f"Latency: median {latency['median_s']:.1f} s, from {latency['smallest_s']:.1f} to "
            f"{latency['largest_s']:.1f} s, of the {latency['found']} found of "
            f"{plural(int(latency['seizures']), 'seizure')}; of the event's start, not of an alarm."
        )
    if found.by_subject:
        _print_by_subject(found.by_subject)
    if 1 < len(found.recordings) <= MOST_RECORDINGS:
        print_table(
            ["by event", ">length, h:mm:ss", ">seizures", ">found", ">false alarms"],
            [
                [
                    one.pair.name,
                    clock(one.seconds),
                    *(f"{number:,}" for number in (part.reference, part.found, part.false)),
                ]
                for one in found.recordings
                for part in [one.measures.events]
            ],
        )


def _print_by_subject(found: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> None:
    """Print means and standard deviations over subjects."""
    from hmstrain.prediction.seizures.measures import RATIOS

    def cell(kind: str, name: str) -> str:
        one = found[kind][name]
        if one["mean"] is None:
            return UNDEFINED
        digits = 1 if name == "false_per_day" else 3
        return f"{one['mean']:,.{digits}f} +- {one['std']:,.{digits}f} ({one['subjects']})"

    print_table(
        ["mean +- std of subjects (of how many)", ">by event", ">by sample"],
        [[title, cell("events", name), cell("samples", name)] for name, title in RATIOS.items()],
    )


def _ratio_text(value: float, digits: int) -> str:
    return UNDEFINED if isnan(value) else f"{value:,.{digits}f}"
