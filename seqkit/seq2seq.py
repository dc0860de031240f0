"""Models that turn a sequence into a sequence of ids.

Legend: S sources, B batch, T steps of a target, V ids of the targets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from seqkit import checkpoint, saving
from seqkit.arrays import as_array
from seqkit.errors import ConfigError, DTypeError, LoadError, ShapeError
from seqkit.generation.filters import log_softmax
from seqkit.generation.search import Found, State, beam, greedy
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.options import by_name, positive_integer, positive_number
from seqkit.registry import create
from seqkit.training import losses, optimizers
from seqkit.training.batches import Batch, Part, Samples

METHODS = {"greedy": greedy, "beam": beam}
KIND = "seq2seq"


class Seq2Seq(Sequential):
    r"""An encoder, a decoder with or without attention, and a dense layer that gives logits of the next id.

    Trained with teacher forcing: at every step the decoder reads the true id before, at the first one `start`, and is
    asked for the next, at the last one `end`,

    .. math:: L = -\frac{1}{N} \sum_{b,t} \log p(y_{b,t} \mid y_{b,<t}, x_b).

    Parameters
    ----------
    encoder, decoder : sequence of Layer
        One after the other, see :class:`seqkit.EncoderDecoder`.  The decoder reads ids: it begins with a
        :class:`seqkit.Embedding`.
    attention : Layer, optional
        Of the inputs (query, memory), such as :class:`seqkit.Attention` or :class:`seqkit.AdditiveAttention`.
    start, end : int
        Ids, among those of the decoder, that stand for the beginning and the end of a target.
    seed : int, optional
        Source of all randomness.
    dtype : {"float32", "float64"}
        Type of parameters and results.

    Attributes
    ----------
    layers : list of Layer
        An EncoderDecoder and a Dense.

    Raises
    ------
    ConfigError
        If the decoder does not begin with an embedding, or needs a whole target at once, or `start` or `end` is none
        of its ids.

    Notes
    -----
    Sources are those of a :class:`seqkit.Sequential`: lists of ids or of (T_i, F) arrays, or arrays with `lengths`.
    Targets are lists of ids without start and end.  What comes out for a source depends on it alone.

    Examples
    --------
    Copying three ids:

    >>> import numpy as np
    >>> import seqkit
    >>> model = seqkit.Seq2Seq(
    ...     [seqkit.Embedding(4, 8), seqkit.GRU(32)],
    ...     [seqkit.Embedding(4, 8), seqkit.GRU(32, return_sequences=True)],
    ...     start=0, end=1, seed=0,
    ... )
    >>> texts = [[2, 3, 2], [3, 3, 2], [2, 2, 2], [3, 2, 3]]
    >>> model.compile(seqkit.Adam(0.02))
    >>> history = model.fit(texts, texts, epochs=60)
    >>> [text.tolist() for text in model.generate(texts)] == texts
    True
    """

    name = "seq2seq"

    def __init__(
        self,
        encoder: Sequence[Layer],
        decoder: Sequence[Layer],
        attention: Layer | None = None,
        *,
        start: int = 0,
        end: int = 1,
        seed: int | None = None,
        dtype: str = "float32",
    ) -> None:
        ids = getattr(decoder[0], "input_dim", None) if isinstance(decoder, Sequence) and decoder else None
        if ids is None:
            raise ConfigError(f"{self.name}: the decoder must begin with an Embedding, got {decoder!r}.")
        super().__init__(seed=seed, dtype=dtype)
        self._set_ends(start, end, ids)
        self.add(create("encoder_decoder", encoder, decoder, attention))
        self.add(create("dense", ids))
        if not self.returns_sequences:
            raise ConfigError(f"{self.name}: the decoder gives one vector; its layers need return_sequences=True.")

    def _set_ends(self, start: int, end: int, ids: int) -> None:
        for what, value in (("start", start), ("end", end)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < ids:
                raise ConfigError(f"{self.name}: {what} must be an id of the decoder, 0 to {ids - 1}, got {value!r}.")
        self.start, self.end = int(start), int(end)

    def compile(
        self,
        optimizer: str | optimizers.Optimizer = "adam",
        loss: str | losses.Loss | None = None,
        metrics: Sequence[Any] | None = None,
    ) -> None:
        """Say how to train; the loss is the cross-entropy of the next id unless there is another one of logits."""
        super().compile(optimizer, loss or losses.SparseCategoricalCrossentropy(from_logits=True), metrics)

    def _samples(self, x: Any, y: Any, sample_weight: Any, lengths: Any) -> Samples:
        """Sources beside what the decoder reads, and what it is asked for."""
        if y is None:
            raise ShapeError(f"{self.name}: y is None, expected the target of each source, a list of lists of ids.")
        targets = [self._target(row, number) for number, row in enumerate(y)]
        read = [np.concatenate([[self.start], row]) for row in targets]
        asked = [np.concatenate([row, [self.end]]) for row in targets]
        return super()._samples((x, read), asked, sample_weight, None if lengths is None else (lengths, None))

    def _target(self, row: Any, number: int) -> np.ndarray:
        ids = as_array(row, self.name, f"target {number}")
        if ids.ndim != 1:
            raise ShapeError(f"{self.name}: target {number} has shape {ids.shape}, expected ids (time,).")
        if ids.size and ids.dtype.kind not in "iu":
            raise DTypeError(f"{self.name}: target {number} must hold integer ids, got dtype {ids.dtype}.")
        return ids.astype(np.int64)

    # ---- generation ----------------------------------------------------------------------------------

    def generate(
        self,
        sources: Any,
        method: str = "greedy",
        *,
        beam_width: int = 5,
        max_length: int = 100,
        length_penalty: float = 1.0,
        batch_size: int = 32,
        lengths: Any = None,
        return_log_p: bool = False,
    ) -> Any:
        """The target that the model finds for each source.

        Parameters
        ----------
        sources : list of ndarray or array_like
            As for :meth:`fit`.
        method : {"greedy", "beam"}
            The likeliest id at every step, or a beam search.
        beam_width : int
            Sequences that the beam search keeps at every step; with 1 it is the greedy search.
        max_length : int
            Ids of a target at most, its end counted.
        length_penalty : float
            Beams compare log p / n ** length_penalty for n ids: 0 favours short ones, 1 is the mean.
        batch_size : int
            Sources that run together; it changes speed and memory, not the result.
        lengths : array_like of int, (S,), optional
            True lengths of sources in a padded array.

        return_log_p : bool
            Whether the logarithms of the probabilities, (S,), are given, too.

        Returns
        -------
        list of ndarray of int64
            Ids without start and end; or a tuple of it and of the logarithms.
        """
        self.require_built()
        by_name(METHODS, method, f"{self.name} method")
        options: dict[str, Any] = {"limit": positive_integer(max_length, "max_length")}
        if method == "beam":
            options["width"] = positive_integer(beam_width, "beam_width")
            options["length_penalty"] = positive_number(length_penalty, "length_penalty", zero=True)
        part = Part.whole(Samples(sources, None, None, lengths, self.layers[0].ids_of_inputs[:1]))
        found: list[Found] = []
        for batch in part.batches(positive_integer(batch_size, "batch_size")):
            found += self._search(METHODS[method], batch, options)
        targets = [np.array(one.ids, np.int64) for one in found]
        return (targets, np.array([one.log_p for one in found])) if return_log_p else targets

    def _search(self, method: Any, batch: Batch, options: Mapping[str, Any]) -> list[Found]:
        network: Any = self.layers[0]
        encoded = network.encode(batch.x, batch.lengths)

        def step(ids: np.ndarray, sources: np.ndarray, state: State | None) -> tuple[np.ndarray, State]:
            h, state = network.decode(ids[:, None], encoded.rows(sources), state)
            logits, _ = self.layers[1].forward(h[:, 0], training=False)
            return log_softmax(logits), state

        return method(step, encoded.state, len(batch.x), self.start, self.end, **options)

    def predict(self, x: Any, batch_size: int = 32, verbose: str | int = 0, *, lengths: Any = None) -> Any:
        """The targets that the greedy search finds, see :meth:`generate`."""
        return self.generate(x, batch_size=batch_size, lengths=lengths)

    def attention_weights(self, source: Any, target: Any) -> np.ndarray:
        """What the decoder attends to while it writes a target.

        Parameters
        ----------
        source : array_like, (S,) or (S, F)
            One source.
        target : array_like of int, (T,)
            What :meth:`generate` gave for it, or any other.

        Returns
        -------
        ndarray, (T + 1, S)
            Row t belongs to the id t of the target, the last one to its end; each sums to 1. The mean over heads.

        Raises
        ------
        ConfigError
            If the model has no attention.
        """
        network: Any = self.layers[0]
        if network.attention is None:
            raise ConfigError(f"{self.name}: the model has no attention.")
        read = np.concatenate([[self.start], self._target(target, 0)])
        outputs = network.outputs((as_array(source, self.name)[None], read[None]))
        node = network.decoder.nodes["attention"]
        return node.layer.weights(node.of(outputs))[0].mean(axis=0)

    # ---- files ---------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write layers, weights and, if compiled, the training set-up with its progress to a file."""
        description, arrays = saving.describe(self, self._recipe, self.progress)
        checkpoint.write(path, {"kind": KIND, "ends": [self.start, self.end], **description}, arrays)

    @classmethod
    def rebuild(
        cls,
        description: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        path: str | os.PathLike[str] = "the model file",
    ) -> Self:
        """The model of what is in a file; `path` is for errors."""
        model = cls.__new__(cls)
        Sequential.__init__(model)
        layers = {name: value for name, value in description.items() if name not in ("kind", "ends")}
        model._recipe = saving.rebuild(model, path, layers, arrays)
        try:
            _, head = model.layers
            start, end = description["ends"]
            model._set_ends(start, end, head.output_size)
        except (ConfigError, LookupError, TypeError, ValueError) as error:
            raise LoadError(f"{path}: not an encoder-decoder with a start and an end: {error!s:.200}.") from error
        return model
