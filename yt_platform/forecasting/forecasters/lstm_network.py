"""The network of the LSTM forecaster and its training, in torch. Imported inside functions only: torch takes seconds.

Does not belong here: what inputs and targets mean (`lstm.py`, `lstm_inputs.py`).

A recurrence over the lags (Hochreiter and Schmidhuber 1997), which skips steps of which nothing is known, and its last
state beside the static inputs through two layers to all quantiles of all targets and horizons at once. p10 and p90 are
p50 less and plus a positive width: they cannot cross. The last layer starts at zero, hence a network that has learned
nothing forecasts p50 as naive does.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from torch.nn.utils import skip_init

from yt_platform.forecasting.forecasters.lstm_inputs import Arrays, Read

WARM_UP = 0.05
"""Share of the training over which the learning rate rises; after it, it falls as a cosine to zero."""

TAIL_WEIGHT = 0.3
"""Of the losses of p10 and p90 beside that of p50, whose errors are what models are chosen by."""

ROWS_AT_ONCE = 8192
"""Forecast together: about 20 MB between layers."""

WEIGHTS = dict[str, Tensor]


class Shape(NamedTuple):
    """Sizes of a network: inputs per row and per step, state of the recurrence, width of the layers, outputs (targets
    times horizons)."""

    statics: int
    channels: int
    hidden: int
    width: int
    outputs: int


@dataclass(frozen=True)
class Schedule:
    """How long and how fast a network learns; it stops early after `patience` epochs that were no better."""

    epochs: int
    patience: int
    batch: int
    learning_rate: float
    weight_decay: float


class Samples(NamedTuple):
    """Rows to learn from: `ratios` (rows by outputs) are the logarithms to forecast; a row counts for p50 by `weights`
    (rows by outputs), which are 0 where the ratio is unknown."""

    read: Read
    ratios: Arrays
    weights: Arrays


class Network(nn.Module):
    def __init__(self, shape: Shape, generator: torch.Generator) -> None:
        super().__init__()
        self._hidden = shape.hidden
        self.of_step = _layer(shape.channels, 4 * shape.hidden, generator)
        self.of_state = _layer(shape.hidden, 4 * shape.hidden, generator)
        self.first = _layer(shape.statics + shape.hidden, shape.width, generator)
        self.second = _layer(shape.width, shape.width, generator)
        self.last = _layer(shape.width, 3 * shape.outputs, generator)
        self.short_cut = _layer(shape.statics + shape.hidden, 3 * shape.outputs, generator)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.short_cut.weight)
        with torch.no_grad():
            self.of_step.bias[shape.hidden : 2 * shape.hidden] = 1.0  # remember at first: Gers et al. 2000

    def forward(self, statics: Tensor, sequences: Tensor, known: Tensor) -> Tensor:
        """Logarithms of the ratio to naive: rows by outputs by p10, p50, p90."""
        inputs = torch.cat([statics, self._last_state(sequences, known)], dim=1)
        layer = nn.functional.silu(self.first(inputs))
        layer = layer + nn.functional.silu(self.second(layer))
        p50, below, above = (self.last(layer) + self.short_cut(inputs)).view(len(statics), -1, 3).unbind(dim=2)
        return torch.stack([p50 - softplus(below), p50, p50 + softplus(above)], dim=2)

    def _last_state(self, sequences: Tensor, known: Tensor) -> Tensor:
        of_steps = self.of_step(sequences)
        state = memory = sequences.new_zeros(len(sequences), self._hidden)
        for step in range(sequences.shape[1]):
            enter, keep, new, show = (of_steps[:, step] + self.of_state(state)).chunk(4, dim=1)
            next_memory = torch.sigmoid(keep) * memory + torch.sigmoid(enter) * torch.tanh(new)
            next_state = torch.sigmoid(show) * torch.tanh(next_memory)
            seen = known[:, step, None]
            memory, state = memory + seen * (next_memory - memory), state + seen * (next_state - state)
        return state


def _layer(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    """Drawn from a generator of its own: other users of torch's global one see nothing of it."""
    layer: nn.Linear = skip_init(nn.Linear, inputs, outputs)  # type: ignore[no-untyped-call]
    bound = 1 / math.sqrt(max(inputs, 1))
    nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def device() -> torch.device:
    """Where networks are trained. Forecasts are made on the CPU: the same bits wherever a bundle is loaded."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train(
    shape: Shape, schedule: Schedule, fitted: Samples, held_out: Samples, seeds: Sequence[int], threads: int
) -> list[Network]:
    """A network per seed, each as it was after the epoch with the lowest loss on `held_out`, or after the last where
    that has no rows.

    As many are trained side by side as there are threads, each on one: so the number of threads cannot change a bit.
    """
    where = device()
    fitted_there, held_out_there = _Batches.of(fitted, where), _Batches.of(held_out, where)

    def trained(seed: int) -> Network:
        return _train(shape, schedule, fitted_there, held_out_there, seed, where)

    with _one_thread_each(), ThreadPoolExecutor(max(threads, 1)) as pool:
        return list(pool.map(trained, seeds))


def predict(networks: Sequence[Network], read: Read, threads: int) -> Arrays:
    """Mean of the networks' logarithms: rows by outputs by p10, p50, p90."""

    def of(first: int) -> Arrays:
        part = [torch.from_numpy(array[first : first + ROWS_AT_ONCE]) for array in read]
        with torch.inference_mode():
            return torch.stack([network(*part) for network in networks]).mean(dim=0).numpy()

    with _one_thread_each(), ThreadPoolExecutor(max(threads, 1)) as pool:
        return np.concatenate(list(pool.map(of, range(0, len(read.statics), ROWS_AT_ONCE))))


def network_of(shape: Shape, weights: WEIGHTS) -> Network:
    """A network as it was trained."""
    network = Network(shape, torch.Generator())
    network.load_state_dict(weights)
    return network


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Within it, an operation of torch keeps to the thread that asks for it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Batches(NamedTuple):
    """Samples as tensors on a device."""

    statics: Tensor
    sequences: Tensor
    known: Tensor
    ratios: Tensor
    weights: Tensor

    @classmethod
    def of(cls, samples: Samples, where: torch.device) -> "_Batches":
        arrays = (*samples.read, samples.ratios, samples.weights)
        return cls(*(torch.from_numpy(array).to(where) for array in arrays))

    def take(self, rows: Tensor) -> "_Batches":
        return _Batches(*(tensor[rows] for tensor in self))


def _train(
    shape: Shape, schedule: Schedule, fitted: _Batches, held_out: _Batches, seed: int, where: torch.device
) -> Network:
    generator = torch.Generator().manual_seed(seed)
    network = Network(shape, generator).to(where)
    groups: list[dict[str, Any]] = [
        {"params": [weight for weight in network.parameters() if weight.ndim > 1]},
        {"params": [weight for weight in network.parameters() if weight.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    batches = max(len(fitted.ratios) // schedule.batch, 1)
    steps = batches * schedule.epochs
    warm = max(WARM_UP * steps, 1.0)
    rate = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / steps))
    )
    best, best_loss, best_epoch = _weights(network), math.inf, 0
    for epoch in range(schedule.epochs):
        order = torch.randperm(len(fitted.ratios), generator=generator).to(where)
        for rows in order.tensor_split(batches):
            optimizer.zero_grad()
            _loss(network, fitted.take(rows)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            rate.step()
        loss = _held_out_loss(network, held_out)
        if loss < best_loss or not len(held_out.ratios):
            best, best_loss, best_epoch = _weights(network), loss, epoch
        elif epoch - best_epoch >= schedule.patience:
            break
    return network_of(shape, best)


def _weights(network: Network) -> WEIGHTS:
    """A copy on the CPU."""
    return {name: weight.detach().cpu().clone() for name, weight in network.state_dict().items()}


def _loss(network: Network, batch: _Batches) -> Tensor:
    """Pinball loss; p50's counts by the weights, and those of p10 and p90 by row, as coverage does."""
    missed = batch.ratios[:, :, None] - network(batch.statics, batch.sequences, batch.known)
    quantiles = missed.new_tensor((0.1, 0.5, 0.9))
    pinball = torch.maximum(quantiles * missed, (quantiles - 1) * missed)
    known = (batch.weights > 0).to(pinball.dtype)
    weights = torch.stack([TAIL_WEIGHT * known, batch.weights, TAIL_WEIGHT * known], dim=2)
    return (pinball * weights).sum() / known.sum().clamp(min=1)


def _held_out_loss(network: Network, held_out: _Batches) -> float:
    rows = len(held_out.ratios)
    if not rows:
        return math.inf
    with torch.no_grad():
        parts = torch.arange(rows, device=held_out.ratios.device).tensor_split(-(-rows // ROWS_AT_ONCE))
        return sum(float(_loss(network, held_out.take(part))) * len(part) for part in parts) / rows
