"""Engines: what computes the networks' scores.

Torch is the reference, and serves GPUs and training. On a processor ONNX Runtime is faster and starts in a tenth of
the time; it runs graphs that come with photodefect, with a model's weights. Which one serves is settled in one place,
by :func:`choose_engine`, before any worker starts; its answer is small and can be pickled, and every worker opens an
engine of its own from it::

    choice = choose_engine("compact")
    engine = choice.open(threads=1)
    engine.scores("holistic", inputs)

Nothing here imports torch unless it is torch that computes.
"""

from photodefect.engines.choice import DEVICES, ENGINES, PRECISIONS, EngineChoice, choose_engine
from photodefect.engines.engine import Engine

__all__ = ["DEVICES", "ENGINES", "PRECISIONS", "Engine", "EngineChoice", "choose_engine"]
