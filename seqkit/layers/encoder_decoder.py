"""A sequence from another one: encoder, decoder and the attention between them.

Legend: B batch, S steps of the source, T steps of the target, F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit.composite import Composite, States
from seqkit.errors import ConfigError, NotBuiltError
from seqkit.graph import Graph
from seqkit.inputs import Inputs
from seqkit.layer import Layer, State, final_state, lengths_after
from seqkit.parts import sequence_of, twice
from seqkit.registry import create, from_spec, spec


class Encoded(NamedTuple):
    """What a decoder knows of a batch of sources."""

    memory: np.ndarray
    """(B, S, F): the output of the encoder; (B, F) where it gives vectors."""
    lengths: np.ndarray | None
    state: State | None
    """What the decoder starts from."""

    def rows(self, rows: np.ndarray) -> Encoded:
        """Some of the sources, each as often as its number is there; the state stays with the decoder."""
        return Encoded(self.memory[rows], None if self.lengths is None else self.lengths[rows], None)


class Done(NamedTuple):
    """What encoder, bridge and decoder have done."""

    encoder: Any
    bridge: Any
    decoder: Any
    memory_shape: tuple[int, ...]
    alone: bool


class EncoderDecoder(Composite):
    r"""Reads a source, and gives for every step of a target what comes next.

    .. math::
        m_1, \dots, m_S &= encoder(x_1, \dots, x_S) \\
        h_t &= decoder(y_1, \dots, y_t), \qquad h_0 = bridge(\text{final states of the encoder}) \\
        \tilde h_t &= \tanh(W [h_t; attention(h_t, m)])

    The output is :math:`\tilde h` or, without attention, h.  As in Luong et al. attention reads the states of the
    decoder and does not feed them, so that in training all steps of a target are computed together.  Where the
    states of the recurrent layers of encoder and decoder have the same sizes they are handed over as they are
    (Sutskever et al.); otherwise the bridge is a dense layer with tanh (Bahdanau et al.).

    Parameters
    ----------
    encoder, decoder : sequence of Layer
        One after the other; the last one of the encoder gives sequences, if there is attention.
    attention : Layer, optional
        A layer of the inputs (query, memory), such as :class:`seqkit.Attention` or
        :class:`seqkit.AdditiveAttention`.

    Attributes
    ----------
    encoder, decoder : Graph
        Their nodes are called "layer1", "layer2" and so on, those of the attention "attention" and "joined".
    bridge : Dense or None

    Raises
    ------
    ConfigError
        If there is no layer, one is stateful, or nothing of the source would reach the decoder.

    Notes
    -----
    Inputs are (source, target); the output has the steps of the target.  :class:`seqkit.Seq2Seq` is a model of it.

    References
    ----------
    Sutskever, Vinyals and Le, "Sequence to sequence learning with neural networks", NeurIPS 2014.  Bahdanau, Cho and
    Bengio, "Neural machine translation by jointly learning to align and translate", ICLR 2015.  Luong, Pham and
    Manning, "Effective approaches to attention-based neural machine translation", EMNLP 2015.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> layer = EncoderDecoder([seqkit.GRU(4)], [seqkit.GRU(4, return_sequences=True)])
    >>> layer((np.ones((2, 7, 3)), np.ones((2, 5, 1)))).shape
    (2, 5, 4)
    """

    name = "encoder_decoder"
    inputs: tuple[str, ...] = ("source", "target")
    bridge: Layer | None = None

    def __init__(self, encoder: Sequence[Layer], decoder: Sequence[Layer], attention: Layer | None = None) -> None:
        encoder, decoder = sequence_of(encoder, self.name, "encoder"), sequence_of(decoder, self.name, "decoder")
        for what, layers in (("encoder", encoder), ("decoder", decoder)):
            if not layers or not all(isinstance(layer, Layer) for layer in layers):
                raise ConfigError(f"{self.name}: {what} must be a sequence of layers, got {list(layers)!r}.")
        self._layers, self.attention = (encoder, decoder), attention
        self.encoder = Graph(_chain(encoder), "source")
        if attention is None:
            self.decoder = Graph(_chain(decoder), "target")
        else:
            self.decoder = Graph(self._attending(decoder, attention), ("target", "memory"))
        self._check(decoder)
        self.accepts_ids = all(self.ids_of_inputs)

    def _check(self, decoder: Sequence[Layer]) -> None:
        """Raise unless the layers can write a target step by step."""
        if self.encoder.stateful or self.decoder.stateful:
            raise ConfigError(f"{self.name}: every target begins anew; leave stateful out.")
        if (shared := twice([self.encoder, self.decoder])) is not None:
            raise ConfigError(f"{self.name}: the same {shared.name} is in encoder and decoder; make a second layer.")
        ahead = next((layer for layer in decoder if layer.reads_backwards), None)
        if ahead is not None:
            raise ConfigError(
                f"{self.name}: a target is written step by step, but {ahead.name} in the decoder needs all steps at "
                f"once; leave it out."
            )
        if self.attention is not None and not (self.encoder.returns_sequences and self.decoder.returns_sequences):
            raise ConfigError(
                f"{self.name}: attention goes from every step of the decoder to every step of the encoder; give their "
                f"layers return_sequences=True."
            )

    def _attending(self, decoder: Sequence[Layer], attention: Layer) -> dict[str, Any]:
        """The nodes of a decoder that attends to the memory."""
        nodes = _chain(decoder)
        last = f"layer{len(decoder)}"
        try:
            units = decoder[-1].output_size
        except NotBuiltError:
            raise ConfigError(
                f"{self.name}: the decoder must end with a recurrent layer, got {decoder[-1]!r}."
            ) from None
        joined = create("dense", units, activation="tanh", use_bias=False)
        return nodes | {
            "attention": (attention, last, "memory"),
            "both": (create("concatenate"), last, "attention"),
            "joined": joined,
        }

    def config(self) -> dict[str, Any]:
        """The layers by name and configuration."""
        encoder, decoder = ([spec(layer) for layer in layers] for layers in self._layers)
        return {
            "encoder": encoder,
            "decoder": decoder,
            "attention": None if self.attention is None else spec(self.attention),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> EncoderDecoder:
        """An unbuilt layer with this configuration."""
        encoder, decoder = ([from_spec(layer) for layer in config[name]] for name in ("encoder", "decoder"))
        return cls(encoder, decoder, None if config["attention"] is None else from_spec(config["attention"]))

    def __repr__(self) -> str:
        encoder, decoder = map(list, self._layers)
        return f"EncoderDecoder({encoder!r}, {decoder!r}, attention={self.attention!r})"

    @property
    def named(self) -> Mapping[str, Layer]:
        """Encoder, decoder and the bridge, if there is one."""
        bridge = {} if self.bridge is None else {"bridge": self.bridge}
        return {"encoder": self.encoder, "decoder": self.decoder, **bridge}

    def _exchange(self, layers: Mapping[str, Layer]) -> None:
        for name, layer in layers.items():
            setattr(self, name, layer)

    @property
    def ids_of_inputs(self) -> tuple[bool, ...]:
        """Whether source and target are ids."""
        return self.encoder.ids_of_inputs[0], self.decoder.ids_of_inputs[0]

    @property
    def output_size(self) -> int:
        """Number of features of the decoder's output."""
        return self.decoder.output_size

    @property
    def returns_sequences(self) -> bool:
        """As the decoder does."""
        return self.decoder.returns_sequences

    @property
    def reads_backwards(self) -> bool:
        """Yes: the first output needs the whole source."""
        return True

    def output_lengths(self, lengths: Any) -> np.ndarray | None:
        """Those of the target."""
        target = lengths[1] if isinstance(lengths, tuple) else lengths
        return None if target is None else self.decoder.output_lengths(target)

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        kind = self.dtype.name
        self.encoder.build(self.input_sizes[0], rng, kind)
        memory = () if self.attention is None else (self.encoder.output_size,)
        self.decoder.build((self.input_sizes[1], *memory), rng, kind)
        self._given, self._wanted = self._states()
        given, wanted = self._given.sizes_of_cells, self._wanted.sizes_of_cells
        self._handed = bool(given and wanted)
        if self.attention is None and not self._handed:
            raise ConfigError(f"{self.name}: nothing of the source reaches the decoder; give it an attention.")
        if self._handed and given != wanted:
            self.bridge = create("dense", sum(wanted), activation="tanh").build(sum(given), rng, kind)
        return {}

    def _states(self) -> tuple[States, States]:
        """What encoder and decoder end with."""
        blanks = [
            np.zeros((1, 1), np.int64) if ids else np.zeros((1, 1, size), self.dtype)
            for ids, size in zip(self.ids_of_inputs, self.input_sizes, strict=True)
        ]
        memory, one = self.encoder.forward(blanks[0], training=False)
        _, two = self.decoder.forward(self._read(blanks[1], memory), training=False)
        return States.of(self.encoder, final_state(one)), States.of(self.decoder, final_state(two))

    def _read(self, target: Any, memory: Any) -> Any:
        """What the decoder reads."""
        return target if self.attention is None else (target, memory)

    # ---- forward and backward ------------------------------------------------------------------------

    def forward(
        self, x: Any, lengths: Any = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Done]:
        """Output for a batch of sources and targets."""
        self._require_built()
        given = Inputs.of(x, lengths, self.inputs, self.name)
        (source, target), (source_lengths, ends) = given.arrays, given.lengths
        memory, one = self.encoder.forward(source, source_lengths, None, training)
        start, two = self._hand_over(final_state(one), training)
        read = self._read(ends, lengths_after(self.encoder, source_lengths))
        y, three = self.decoder.forward(self._read(target, memory), read, start, training)
        return y, Done(one, two, three, memory.shape, given.alone)

    def _hand_over(self, state: State, training: bool) -> tuple[State | None, Any]:
        """The state that the decoder starts from, of the final one of the encoder."""
        if not self._handed:
            return None, None
        parts, cache = self._given.of_cells(state), None
        if self.bridge is not None:
            joined, cache = self.bridge.forward(np.concatenate(parts, axis=1), training=training)
            parts = self._wanted.split(joined)
        return self._wanted.whole(parts), cache

    def backward(
        self, dy: np.ndarray, cache: Done, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[Any, State]:
        """Gradients of source and target; adds to `grads`."""
        gradient, dstart = self.decoder.backward(dy, cache.decoder)
        dtarget, dmemory = (gradient, None) if self.attention is None else gradient
        if dmemory is None:
            dmemory = np.zeros(cache.memory_shape, self.dtype)
        dsource, _ = self.encoder.backward(dmemory, cache.encoder, self._hand_back(dstart, cache.bridge), input_grad)
        given = Inputs(self.inputs, (), cache.alone)  # type: ignore[arg-type]
        return (given.gradient((dsource, dtarget)) if input_grad else None), ()

    def _hand_back(self, dstart: State, cache: Any) -> State | None:
        """The gradient of the encoder's final state, of that of the decoder's first."""
        if not self._handed:
            return None
        parts = self._wanted.of_cells(dstart)
        if self.bridge is not None:
            joined: Any = self.bridge.backward(np.concatenate(parts, axis=1), cache)[0]
            parts = self._given.split(joined)
        return self._given.whole(parts)

    # ---- step by step --------------------------------------------------------------------------------

    def encode(self, source: Any, lengths: Any = None) -> Encoded:
        """What the decoder needs to know of a batch of sources."""
        memory, cache = self.encoder.forward(source, lengths, None, training=False)
        start, _ = self._hand_over(final_state(cache), training=False)
        return Encoded(memory, lengths_after(self.encoder, lengths), start)

    def decode(self, target: Any, encoded: Encoded, state: State | None) -> tuple[np.ndarray, State]:
        """The outputs for some more steps of the targets, (B, T) ids or (B, T, F), and the state after them."""
        x, lengths = self._read(target, encoded.memory), self._read(None, encoded.lengths)
        y, cache = self.decoder.forward(x, lengths, state, training=False)
        return y, final_state(cache)

    def outputs(self, x: Any, lengths: Any = None) -> dict[str, np.ndarray]:
        """What every node of the decoder gives, by name, and the memory: what attention is computed from."""
        given = Inputs.of(x, lengths, self.inputs, self.name)
        encoded = self.encode(given.arrays[0], given.lengths[0])
        ends = self._read(given.lengths[1], encoded.lengths)
        return self.decoder.outputs(self._read(given.arrays[1], encoded.memory), ends, encoded.state)


def _chain(layers: Sequence[Layer]) -> dict[str, Any]:
    """Nodes of which each reads the one before."""
    return {f"layer{number}": layer for number, layer in enumerate(layers, start=1)}
