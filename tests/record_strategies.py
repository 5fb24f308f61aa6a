"""Hypothesis strategies for records, with hostile texts."""

from __future__ import annotations

from hypothesis import strategies as st

from photodefect.defects import DEFECTS, KEYS, PATCH_DEFECTS
from photodefect.records import Capture, Diagnosis, ModelIdentity, PhotoFailure, Provenance
from photodefect.verdicts import Threshold

# As Python holds file names: any character, and bytes that aren't UTF-8 as surrogates U+DC80..U+DCFF.
TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from('\x00\x1b\x7f\x9b\n\r",;=\u202e\u2028'),
        st.integers(0xDC80, 0xDCFF).map(chr),
    ),
    max_size=12,
).map(lambda text: text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
THRESHOLDS = st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)).map(lambda pair: Threshold(min(pair), max(pair)))


def _scores(keys: tuple[str, ...]) -> st.SearchStrategy[dict[str, float]]:
    ranges = {defect.key: st.floats(defect.lowest, 1) for defect in DEFECTS if defect.key in keys}
    return st.fixed_dictionaries(ranges)


SUCCESSES = st.builds(
    Diagnosis,
    path=TEXTS,
    width=st.integers(1, 10**6),
    height=st.integers(1, 10**6),
    severity=_scores(KEYS),
    percentile=st.none() | st.fixed_dictionaries({key: st.integers(0, 100) for key in KEYS}),
    holistic=_scores(KEYS),
    patches=_scores(tuple(defect.key for defect in PATCH_DEFECTS)),
    worst=st.sampled_from(KEYS),
    verdict=st.sampled_from(["good", "mild", "severe"]),
    thresholds=st.fixed_dictionaries(dict.fromkeys(KEYS, THRESHOLDS)),
    monochrome=st.booleans(),
    photograph=st.booleans(),
    not_photograph=st.none() | TEXTS,
    capture=st.none() | st.builds(Capture, time=st.none() | TEXTS, camera=TEXTS, shutter_s=st.none() | FINITE),
    provenance=st.none() | st.builds(Provenance, format=TEXTS, icc=st.none() | TEXTS),
    model=st.builds(ModelIdentity, TEXTS, TEXTS),
    error=st.none(),
)
FAILURES = st.builds(Diagnosis, path=TEXTS, error=st.builds(PhotoFailure, TEXTS, TEXTS))
DIAGNOSES = st.one_of(SUCCESSES, FAILURES)
