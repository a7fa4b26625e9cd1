"""`hmsprep features`: a store -> hand features of its windows, in a sealed table beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from hmsprep.cli.options import RUN, DaskOption, Json, LogFile, Quiet, StoreIn, option

if TYPE_CHECKING:
    from hmsprep.qeeg.make import FeaturePlan


def features(
    store: StoreIn = Path("hms.zarr"),
    out: Annotated[
        Path | None,
        option(
            "--out",
            "Folder of the table.",
            RUN,
            metavar="FOLDER",
            show_default="STORE-features, or STORE-features-judged",
        ),
    ] = None,
    span: Annotated[
        str,
        option(
            "--span",
            "window: whole windows and their judged seconds, by place; judged: only the judged "
            "seconds, by measures of their pattern.",
            RUN,
            metavar="SPAN",
        ),
    ] = "window",
    workers: Annotated[
        int | None,
        option(
            "--workers",
            "Number of processes.",
            RUN,
            min=1,
            metavar="N",
            show_default="one per processor",
        ),
    ] = None,
    dask: DaskOption = None,
    force: Annotated[bool, option("--force", "Replace an existing table.", RUN)] = False,
    dry_run: Annotated[
        bool, option("--dry-run", "Dry run: print what would be made.", RUN)
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
    log_file: LogFile = None,
) -> None:
    """Compute hand features of every window.

    Among them are line length, Hjorth parameters, band powers, wavelet energies, coherence and
    rhythmicity, over the window and over its judged seconds; with --span judged, discharges,
    waves, coupling and course of the judged seconds. `hmstrain run --model features` trains on
    them. If it is interrupted, run the same command again to resume it.
    """
    import hmsprep
    from hmsprep.cli import cluster, console, progress, tables
    from hmsprep.qeeg.make import unfinished

    def interrupted() -> str:
        if unfinished(store, out, span):
            return "Stopped. Run the same command again to resume."
        return "Stopped before anything was finished; nothing was written."

    with console.reporting(quiet=quiet, log_file=log_file, interrupted=interrupted):
        plan = hmsprep.plan_features(store, out=out, span=span)
        console.warn_all(_warnings(plan))
        if not dry_run:
            stages = {"features": progress.Stage("Measuring", "window")}
            with (
                cluster.tasks_on(dask, workers, [plan.store, plan.out.parent]) as on,
                progress.bars(stages) as report,
            ):
                hmsprep.features(
                    store,
                    out=out,
                    span=span,
                    executor=on[0],
                    workers=on[1],
                    force=force,
                    progress=report,
                )
        if json:
            tables.print_json(plan.to_json())
        else:
            print(_said(plan, made=not dry_run))


def _said(plan: FeaturePlan, *, made: bool) -> str:
    from hmsprep.words import plural, size

    what = (
        f"{plural(plan.windows, 'window')}, {plural(plan.columns, 'feature')} each, "
        f"{size(plan.nbytes)}"
    )
    return f"{plan.out}: {what}." if made else f"{plan.out} would hold {what}."


def _warnings(plan: FeaturePlan) -> list[str]:
    from hmsprep.words import plural

    found = []
    if plan.not_recorded:
        found.append(
            f"{plan.not_recorded:,} of {plural(plan.windows, 'window')} have no features: too "
            "little of their judged seconds was recorded."
        )
    if not plan.observed_known:
        found.append(
            f"{plan.store} was built before gaps were kept, so filled values are measured too. "
            "Build it again to measure only recorded values."
        )
    return found
