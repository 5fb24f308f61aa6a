"""The best of a burst: the least severe, and of those that differ little the sharpest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from photodefect.photos.shots import shots
from photodefect.ranking.series.bursts import ALIKE
from photodefect.ranking.series.detail import aligned_energy, with_middle
from photodefect.ranking.series.kinds import Series
from photodefect.ranking.series.miniature import Miniatures, read_miniatures
from photodefect.records import Diagnosis

TIE: Final = 0.05
"""Severities of one scene that differ by so much don't say which photo is better."""

_LEAST_SHARED: Final = 1 / 16


_AT_ONCE: Final = 256
"""Photos that are compared at once, about: more take no less time each, but more memory."""


def sharpness(seen: Miniatures) -> list[float]:
    """How sharp each of N photos of one scene is: the Laplacian's energy where all of them overlap.

    Energy depends on what a photo shows, so it is compared at the same places only. If a photo has too little in common
    with the middle one, or nothing is shown by all, the whole of each counts.
    """
    return _sharpness(seen, [len(seen)])


def _sharpness(seen: Miniatures, sizes: Sequence[int]) -> list[float]:
    """:func:`sharpness` of the photos of several series of those sizes, one after the other."""
    found = with_middle(seen, sizes)
    energy = aligned_energy(seen, found)
    whole = np.exp2(seen.detail).mean(axis=(1, 2))
    result: list[float] = []
    for size in sizes:
        own = slice(len(result), len(result) + size)
        shared = ~np.isnan(energy[own]).any(axis=0)
        if found.structure[own].min() < ALIKE or shared.mean() < _LEAST_SHARED:
            result += whole[own].tolist()
        else:
            result += energy[own][:, shared].mean(axis=1).tolist()
    return result


def order_bursts(
    series: Sequence[Series],
    photos: Sequence[Diagnosis],
    miniatures: Mapping[str, str],
    values: Mapping[int, tuple[float, ...]],
) -> list[list[int]]:
    """Members of each series from best to worst, as far as they have values.

    In a burst all that are less than :data:`TIE` worse than the best count as equal, and the sharpest of them is the
    best; then the same among the others. In other sets, whose photos differ on purpose, values alone decide.

    Args:
        series: of :func:`~photodefect.ranking.series.find.find_series`.
        photos: what they index.
        miniatures: by path.
        values: by index, lower is better; the first decides, the others where it is equal.
    """
    # Of equals the first stays: members are in the order in which they were taken, and sorting keeps it.
    members = [[index for index in one.members if index in values] for one in series]
    orders = [sorted(those, key=values.__getitem__) for those in members]
    compared = [
        place
        for place, (one, those) in enumerate(zip(series, members, strict=True))
        if one.is_burst and len(those) > 1 and all(photos[index].path in miniatures for index in those)
    ]
    for part in _parts(compared, [len(members[place]) for place in compared]):
        together = [index for place in part for index in members[place]]
        seen = read_miniatures([miniatures[photos[index].path] for index in together])
        sharp = dict(zip(together, _sharpness(seen, [len(members[place]) for place in part]), strict=True))
        for place in part:
            orders[place] = _in_tiers(orders[place], values, sharp)
    return orders


def _parts(items: Sequence[int], sizes: Sequence[int]) -> Iterator[list[int]]:
    """Items in their order, as many together as have :data:`_AT_ONCE` in all, or one."""
    part: list[int] = []
    total = 0
    for item, size in zip(items, sizes, strict=True):
        if part and total + size > _AT_ONCE:
            yield part
            part, total = [], 0
        part.append(item)
        total += size
    if part:
        yield part


def _in_tiers(order: Sequence[int], values: Mapping[int, tuple[float, ...]], sharp: Mapping[int, float]) -> list[int]:
    result: list[int] = []
    while len(result) < len(order):
        left = order[len(result) :]
        limit = values[left[0]][0] + TIE
        tier = [index for index in left if values[index][0] < limit]
        result += sorted(tier, key=lambda index: -sharp[index])
    return result


def keep_best(
    series: Sequence[Series],
    orders: Sequence[Sequence[int]],
    photos: Sequence[Diagnosis],
    count: int,
    *,
    thin_sequences: bool = False,
) -> dict[int, int]:
    """Choose what to leave out so that ``count`` photos of each burst are left.

    A raw photo and its JPEG are kept or left out together, by the better of the two.

    Args:
        series: bursts and other sets.
        orders: of :func:`order_bursts`; a photo that isn't there doesn't compete.
        photos: what they index.
        count: photos to keep of each burst, 1 or more.
        thin_sequences: thin sets too of which every photo is needed.

    Returns:
        For each photo to leave out, the best photo of its series, as indexes.
    """
    dropped: dict[int, int] = {}
    names = shots(photo.path for photo in photos)
    for one, order in zip(series, orders, strict=True):
        if not (one.is_burst or thin_sequences):
            continue
        places: dict[str, int] = {}
        for index in order:
            places.setdefault(names[photos[index].path], len(places))
        dropped |= {index: order[0] for index in order if places[names[photos[index].path]] >= count}
    return dropped
