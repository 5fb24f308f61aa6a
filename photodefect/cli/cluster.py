"""``photodefect diagnose --ray``: diagnosis on a Ray cluster, with results as Parquet files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.fail_on import FailOn
from photodefect.cli.options import DiagnosisOptions, WalkOptions
from photodefect.cli.photo_list import told_passed_over
from photodefect.cli.run import end, take_all
from photodefect.errors import DataError
from photodefect.extras import require_installed
from photodefect.verdicts import Threshold

if TYPE_CHECKING:
    from photodefect.cli.work import Work
    from photodefect.distributed.plan import Job, Plan


def diagnose_on_cluster(
    paths: Sequence[str],
    files_from: str | None,
    *,
    null_separated: bool,
    walk: WalkOptions,
    address: str,
    results: str | None,
    force: bool,
    part_size: int,
    diagnosis: DiagnosisOptions,
    work: Work,
    demands: Sequence[FailOn],
    quiet: bool,
    verbose: bool,
) -> NoReturn:
    """Diagnose photos on a Ray cluster. Arguments are the options of ``diagnose``; ends with its exit codes."""
    if results is None:
        raise typer.BadParameter("--ray needs a folder or URL for its results: --output DIR")
    if not paths and files_from is None:
        raise typer.BadParameter("name photos or folders, or a list of them by --files-from", param_hint="PATHS")
    require_installed("ray", "ray", "pyarrow", "fsspec", what="--ray")
    from photodefect.cli.tally import Tally  # noqa: PLC0415
    from photodefect.distributed.cluster import joined  # noqa: PLC0415
    from photodefect.distributed.rows import from_table  # noqa: PLC0415

    with joined(address, verbose=verbose) as cluster:
        if not quiet:
            note(cluster)
        from photodefect.distributed.run import check_cluster, run  # noqa: PLC0415

        job = _job(
            diagnosis.model,
            device=diagnosis.device,
            patches=diagnosis.patches,
            placement=diagnosis.patch_placement,
            seed=diagnosis.seed,
            limits=diagnosis.thresholds,
            time_limit=work.time_limit,
        )
        plan = _plan(
            results,
            paths,
            files_from,
            job,
            null_separated=null_separated,
            walk=walk,
            force=force,
            part_size=part_size,
            quiet=quiet,
        )
        tally = Tally(demands)
        open_parts = set(plan.open_parts())
        for part in range(plan.parts):
            if part not in open_parts:
                for record in from_table(plan.rows(part)):
                    tally.add(record)
        if tally.photos and not quiet:
            note(f"going on: {tally.photos} of the {plan.photos} photos listed at {plan.created} are done")
        if open_parts:
            most = check_cluster(job)
            running = run(plan, job, min(work.workers or most, most))
            if take_all(running, tally.add, plan.photos - tally.photos, quiet=quiet):
                done = plan.parts - len(plan.open_parts())
                note(f"interrupted; {done} of {plan.parts} parts are complete, and the same command goes on from there")
                raise typer.Exit(ExitCode.INTERRUPTED)
    end(tally, quiet=quiet)


def _job(
    model: str,
    *,
    device: str,
    patches: int | None,
    placement: str,
    seed: int | None,
    limits: Mapping[str, Threshold],
    time_limit: float | None,
) -> Job:
    """What decides records; the model's checksum is that of this machine, so that all workers have the same one.

    Raises:
        ModelError: it can't be used.
    """
    from photodefect.core.network.folders import find_model, read_manifest  # noqa: PLC0415
    from photodefect.core.network.registry import NETWORKS  # noqa: PLC0415
    from photodefect.distributed.plan import Job  # noqa: PLC0415

    manifest = read_manifest(find_model(model))
    return Job(
        model=str(Path(model).absolute()) if Path(model).is_dir() else model,
        identity=manifest.identity,
        device="cpu" if device == "auto" else device,
        patches=patches or NETWORKS[manifest.network].patches,
        placement=placement,
        seed=seed,
        thresholds={key: (it.mild, it.severe) for key, it in limits.items()},
        time_limit=time_limit,
        folder=str(Path.cwd()),
    )


def _plan(
    place: str,
    paths: Sequence[str],
    files_from: str | None,
    job: Job,
    *,
    null_separated: bool,
    walk: WalkOptions,
    force: bool,
    part_size: int,
    quiet: bool,
) -> Plan:
    """The plan that lies in the results folder, or a new one.

    Raises:
        DataError: the folder holds something else, or nothing that is named is there.
        NothingToDoError: there is no photo.
    """
    from photodefect.distributed.plan import clear, make_plan, read_plan  # noqa: PLC0415
    from photodefect.distributed.storage import ResultsFolder, find  # noqa: PLC0415
    from photodefect.photos.find import is_url  # noqa: PLC0415
    from photodefect.photos.places import PassedOver  # noqa: PLC0415

    results = ResultsFolder(place)
    if force:
        clear(results)
    inputs = [*paths, *([] if files_from is None else [f"--files-from {files_from}"])]
    inputs += [f"--exclude {pattern}" for pattern in walk.exclude or ()]
    inputs += ["--include-passed-over"] if walk.include_passed_over else []
    plan = read_plan(results, inputs, job)
    if plan is not None:
        return plan
    missing = [path for path in paths if not is_url(path) and not os.path.lexists(path)]
    if missing:
        raise DataError(f"no such file or folder: {', '.join(map(ascii, missing[:5]))}")
    passed_over = PassedOver()
    named = _inputs(paths, files_from, null_separated=null_separated)
    found = find(named, on_passed_over=passed_over.note, **walk.finding())
    plan = make_plan(results, (os.fsencode(photo) for photo in found), inputs, job, part_size=part_size)
    if passed_over and not quiet:
        note(told_passed_over(passed_over))
    return plan


def _inputs(paths: Sequence[str], files_from: str | None, *, null_separated: bool) -> Iterator[str]:
    from photodefect.cli.photo_list import read_list  # noqa: PLC0415

    yield from paths
    if files_from is not None:
        yield from read_list(files_from, null_separated)
