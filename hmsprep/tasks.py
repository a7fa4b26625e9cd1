"""The plan -> one task per shard and stage, each small, complete and independent of the others."""

from __future__ import annotations

import os
from collections import defaultdict

import numpy as np

from hmsprep.journal import IngestedLine, Key
from hmsprep.plan import Plan
from hmsprep.site import Site
from hmsprep.source import Source
from hmsprep.statistics import Statistics
from hmsprep.worker import IngestTask, NormaliseTask, Piece
from hmsstore.schema import SIGNALS


def shard_keys(plan: Plan) -> list[Key]:
    """All shards of a store in plan order."""
    return [(signal, shard) for signal in SIGNALS for shard in range(plan.shards(signal))]


def shard_pieces(plan: Plan, source: Source) -> dict[Key, tuple[Piece, ...]]:
    """What each shard holds, piece by piece in plan order."""
    pieces: dict[Key, list[Piece]] = defaultdict(list)
    for name, signal in SIGNALS.items():
        segments = plan.segments[name]
        training = plan.training(name)
        stop = segments.source_start + segments.rows
        ids, recording = np.unique(segments.recording, return_inverse=True)
        needed = np.zeros(len(ids), np.int64)
        np.maximum.at(needed, recording, stop)
        order = np.argsort(segments.start)
        span = plan.columns[f"{name}_span_start"]
        segment_of = order[np.searchsorted(segments.start[order], span)]
        by_segment = np.argsort(segment_of, kind="stable")
        edges = np.searchsorted(segment_of[by_segment], np.arange(len(order) + 1))
        first_rows = signal.row_at(plan.columns[f"{name}_offset_s"])
        for index in order.tolist():
            windows = by_segment[edges[index] : edges[index + 1]]
            pieces[name, int(segments.shard[index])].append(
                Piece(
                    file=source.file_name(name, int(segments.recording[index])),
                    source_start=int(segments.source_start[index]),
                    rows=int(segments.rows[index]),
                    shared=int(segments.shared[index]),
                    training=bool(training[index]),
                    needed_rows=int(needed[recording[index]]),
                    windows=tuple(windows.tolist()),
                    window_rows=tuple(first_rows[windows].tolist()),
                )
            )
    return {key: tuple(value) for key, value in pieces.items()}


def ingest_task(
    key: Key, pieces: tuple[Piece, ...], plan: Plan, source: Source, site: Site
) -> IngestTask:
    """Task that reads one shard's recordings."""
    signal, shard = key
    output = site.partial / f"ingest-{signal}-{shard}.{os.getpid()}"
    return IngestTask(source.path, signal, shard, pieces, plan.parameters, output)


def normalise_task(
    key: Key, line: IngestedLine, plan: Plan, statistics: Statistics, site: Site
) -> NormaliseTask:
    """Task that writes one final shard."""
    signal, shard = key
    return NormaliseTask(
        signal=signal,
        shard=shard,
        rows=plan.rows_in_shard(signal, shard),
        shard_rows=plan.parameters.shard_rows(signal),
        scratch=site.scratch(signal, shard),
        scratch_crc=line.result.crc,
        statistics=statistics,
        zscore=plan.parameters.normalise == "zscore",
        output=site.partial / f"normalise-{signal}-{shard}.{os.getpid()}",
    )
