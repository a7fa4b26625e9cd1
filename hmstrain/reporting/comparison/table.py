"""A comparison -> the lines of its table, as Markdown and CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import groupby

from hmsstore.plain.text import write_rows
from hmstrain.runs.outcome import interval_text, score_text
from hmstrain.scoring.comparison.results import Comparison, Difference
from hmstrain.scoring.metrics import SCORES, Score
from hmstrain.words import plural

HEADER = (
    "score", "model", "value", "95% interval", "less reference", "95% interval", "all at once",
    "better in", "sign flip p",
)  # fmt: skip
SHORT_HEADER = ("", "value", "95% interval", "less", "95% interval", "better in")
"""At a terminal."""
CSV_HEADER = (
    "score", "model", "value", "low", "high", "difference", "difference_low", "difference_high",
    "simultaneous_low", "simultaneous_high", "share_better", "sign_flip_p",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A score of a model, and its difference to the reference."""

    score: Score
    model: str
    value: float
    interval: tuple[float, float] | None
    difference: Difference | None

    def cells(self) -> list[str]:
        """As texts, in the order of `HEADER`."""
        texts = [self.score.key, self.model, score_text(self.value), interval_text(self.interval)]
        one = self.difference
        if one is None:
            return [*texts, "", "", "", "", ""]
        better = "" if one.share_better is None else f"{one.share_better:.1%}"
        spans = precise_text(one.interval), precise_text(one.simultaneous)
        p = "" if one.sign_flip_p is None else f"{one.sign_flip_p:.4f}"
        return [*texts, f"{one.difference:+.4f}", *spans, better, p]

    def short_cells(self) -> list[str]:
        """As texts, in the order of `SHORT_HEADER`, below a line with the score's name."""
        _, model, value, span, less, interval, _, better, p = self.cells()
        return [f"  {model}", value, span, less, interval, f"p {p}" if p else better]

    def values(self) -> list[object]:
        """As numbers, in the order of `CSV_HEADER`."""
        one, nothing = self.difference, (None, None)
        found: list[object] = [self.score.key, self.model, self.value, *(self.interval or nothing)]
        if one is None:
            return [*found, *[None] * 7]
        spans = (*(one.interval or nothing), *(one.simultaneous or nothing))
        return [*found, one.difference, *spans, one.share_better, one.sign_flip_p]


def lines(found: Comparison) -> Iterator[Line]:
    """Each score of each model that has it."""
    for score in SCORES:
        for name, model in found.models.items():
            value = model.scores.get(score.key)
            if value is not None:
                span = model.scores.intervals.get(score.key)
                difference = found.differences.get(name, {}).get(score.key)
                yield Line(score, name, value, span, difference)


def short_lines(found: Comparison) -> Iterator[list[str]]:
    """Rows of a table for a terminal: each score's name, and below it the models."""
    for key, group in groupby(lines(found), lambda line: line.score.key):
        yield [key, *[""] * (len(SHORT_HEADER) - 1)]
        yield from (line.short_cells() for line in group)


def precise_text(interval: tuple[float, float] | None) -> str:
    """An interval of a difference in brackets, or nothing."""
    return "" if interval is None else f"[{interval[0]:+.4f}, {interval[1]:+.4f}]"


def title(found: Comparison) -> str:
    """What was compared, in words."""
    models = plural(len(found.models), "model")
    return f"{models} on {plural(found.rows, 'row')} of {found.groups:,} {found.unit}"


def populations(found: Comparison) -> list[tuple[str, str, str, str, str]]:
    """Rows that each level of KL is over: name, rows, groups, entropy, which rows these are."""
    return [
        (key, f"{one.rows:,}", f"{one.groups:,}", score_text(one.entropy), one.weighting)
        for key, one in found.populations.items()
    ]


def sections(found: Comparison) -> list[tuple[str, str]]:
    """Ways in which rows are told apart, and what their tables are called."""
    ways = [("by_class", "class"), ("by_votes", "votes"), ("by_context", "recorded context")]
    first = next(iter(found.models.values()))
    return [(which, heading) for which, heading in ways if getattr(first, which)]


def by_part(found: Comparison, which: str) -> list[list[str]]:
    """Rows, entropy and each model's KL, 'by_class' or 'by_votes'."""
    first = next(iter(found.models.values()))
    rows = []
    for name, part in getattr(first, which).items():
        cells = [name, f"{part.rows:,}", score_text(part.entropy)]
        for model in found.models.values():
            one = getattr(model, which)[name]
            cells.append(f"{score_text(one.kl)} {interval_text(one.interval)}".strip())
        rows.append(cells)
    return rows


def experts(found: Comparison) -> list[list[str]]:
    """Each model and the average rater, both against the other raters."""
    rows = []
    for name, model in found.models.items():
        one = model.experts
        if one is None:
            continue
        verdict = {True: "yes", False: "no", None: "-"}[one.not_inferior]
        rows.append(
            [
                name,
                f"{one.windows:,}",
                score_text(one.model),
                score_text(one.rater),
                f"{one.difference:+.4f}",
                precise_text(one.interval),
                verdict,
            ]
        )
    return rows


EXPERTS_HEADER = ("model", "rows", "right", "rater", "difference", "95% interval", "not inferior")


def experts_note(found: Comparison) -> str:
    """What one has to know to read the table of `experts`."""
    margin = next((m.experts.margin for m in found.models.values() if m.experts is not None), 0.0)
    return (
        "Each vote is left out in turn: the rater who cast it and the model are both judged by the "
        "majority of the other votes. Rows with three votes or more; each row counts once, however "
        f"many votes it has. Not inferior: surely right at most {margin:g} less often."
    )


def explanation(found: Comparison) -> str:
    """What one has to know to read the table."""
    resampled = f"{found.unit} and seeds" if found.seeds_resampled else found.unit
    text = (
        f"Intervals: {found.replicates:,} resamples of whole {resampled}, seed {found.seed}, the "
        f"same for all models. Differences are to {found.reference}, row by row; 'better in' is "
        "the share of resamples in which the model is better, nothing more. Lower is better for "
        "KL and calibration errors, higher for the others."
    )
    if len(found.differences) > 1:
        text += (
            " 'All at once': intervals that hold for all the models' differences together, with "
            "95% (max-T)."
        )
    if found.classes_missing:
        text += (
            f" {plural(found.classes_missing, 'resample')} lack a class, which balanced accuracy "
            "and F1 leave out there."
        )
    tied = next(iter(found.models.values())).scores.tied
    if tied:
        text += (
            f" {plural(tied, 'row')} with several classes in the lead: any of them is right; kappa "
            "and F1 are without these rows."
        )
    return text


def to_markdown(found: Comparison) -> str:
    """The whole comparison as Markdown."""
    names = list(found.models)
    parts = [f"# {title(found)}", *(f"> Warning: {text}" for text in found.warnings)]
    parts += [_markdown(HEADER, [line.cells() for line in lines(found)]), explanation(found)]
    parts += ["## Levels", _markdown(LEVELS_HEADER, populations(found)), LEVELS_NOTE]
    for which, heading in sections(found):
        header = (heading, "rows", "entropy", *(f"KL, {name}" for name in names))
        parts += [f"## KL by {heading}", _markdown(header, by_part(found, which))]
    rows = experts(found)
    if rows:
        parts += ["## Beside the average rater", _markdown(EXPERTS_HEADER, rows)]
        parts.append(experts_note(found))
    if found.notes:
        parts += ["## Rows", "\n".join(f"- {text}" for text in found.notes)]
    return "\n\n".join(parts) + "\n"


NUMBERS = ("rows", "resampled", "entropy")
LEVELS_HEADER = ("score", "rows", "resampled", "entropy", "which rows")
LEVELS_NOTE = (
    "A level of KL belongs to its rows: where the votes' entropy differs, levels do not compare."
)


def to_csv(found: Comparison) -> str:
    """Each score of each model as a line of CSV."""
    text = StringIO()
    cells = (["" if value is None else value for value in line.values()] for line in lines(found))
    write_rows(text, CSV_HEADER, cells)
    return text.getvalue()


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    table = [header, *rows]
    clean = [[cell.replace("|", "\\|") or " " for cell in row] for row in table]
    head, *body = ["| " + " | ".join(row) + " |" for row in clean]
    return "\n".join([head, "|" + "---|" * len(table[0]), *body])
