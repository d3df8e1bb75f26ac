"""The LSTM forecaster: its recurrence against torch's own, what it reads, and forecasts from generated histories."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch

from yt_platform.features.videos import build_video_day
from yt_platform.forecasting.evaluation import backtest, score, training_frame
from yt_platform.forecasting.forecasters import lstm_network
from yt_platform.forecasting.forecasters.lstm import BUNDLE, LSTMForecaster
from yt_platform.forecasting.forecasters.lstm_inputs import LIMIT, Inputs
from yt_platform.forecasting.forecasters.lstm_network import Network, Samples, Schedule, Shape
from yt_platform.forecasting.tasks import VIDEO_DAY, target_column
from yt_platform_tests.forecasting import generated

DAYS = 60
LAST = generated.FIRST + pd.Timedelta(days=DAYS - 1)
TRAIN_UNTIL = generated.FIRST + pd.Timedelta(days=44)
SMALL = {"hidden": 16, "width": 32}


@pytest.fixture(scope="module")
def daily() -> pd.DataFrame:
    return generated.daily(200, DAYS)


@pytest.fixture(scope="module")
def features(daily: pd.DataFrame) -> pd.DataFrame:
    return build_video_day(daily, generated.versions(200, DAYS), daily["day"].min(), daily["day"].max())


@pytest.fixture(scope="module")
def frame(features: pd.DataFrame, daily: pd.DataFrame) -> pd.DataFrame:
    return training_frame(VIDEO_DAY, features, daily, TRAIN_UNTIL)


@pytest.fixture(scope="module")
def trained(features: pd.DataFrame, daily: pd.DataFrame) -> tuple[LSTMForecaster, pd.DataFrame]:
    forecaster = LSTMForecaster(VIDEO_DAY, {}, threads=2)
    return forecaster, score(VIDEO_DAY, backtest(VIDEO_DAY, features, daily, TRAIN_UNTIL, LAST, lambda: forecaster))


@pytest.fixture(scope="module")
def forecaster(trained: tuple[LSTMForecaster, pd.DataFrame]) -> LSTMForecaster:
    return trained[0]


@pytest.fixture(scope="module")
def unseen(features: pd.DataFrame) -> pd.DataFrame:
    return features[features["day"] > TRAIN_UNTIL]


def test_it_beats_naive_with_honest_intervals(trained: tuple[LSTMForecaster, pd.DataFrame]) -> None:
    """On a backtest, the figures the gate reads: the generated counter shows views late, which can be learned."""
    scores = trained[1]
    assert len(scores) == 9
    assert (scores["wape"] < 0.9 * scores["naive_wape"]).all()
    assert scores["coverage80"].between(0.65, 0.92).all()


def test_the_recurrence_is_the_one_of_torch() -> None:
    """Against torch.nn.LSTM with the same weights, from the first known step on: sequences of every length."""
    shape = Shape(statics=3, channels=4, hidden=5, width=6, outputs=2)
    network = Network(shape, torch.Generator().manual_seed(1))
    oracle = torch.nn.LSTM(4, 5, batch_first=True)
    oracle.load_state_dict(
        {
            "weight_ih_l0": network.of_step.weight,
            "weight_hh_l0": network.of_state.weight,
            "bias_ih_l0": network.of_step.bias,
            "bias_hh_l0": network.of_state.bias,
        }
    )
    sequences = torch.randn(7, 7, 4, generator=torch.Generator().manual_seed(2))
    known = torch.ones(7, 7).triu()  # row k is known from step k on
    found = network._last_state(sequences, known)
    for row in range(7):
        expected = oracle(sequences[row : row + 1, row:])[1][0][0, 0]
        torch.testing.assert_close(found[row], expected)


def test_unknown_steps_within_a_sequence_are_skipped() -> None:
    """On the state: a day without a reading must not read as a day without views."""
    network = Network(Shape(3, 4, 5, 6, 2), torch.Generator().manual_seed(1))
    sequences = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(2))
    known = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    without = sequences[:, [0, 2, 3]]
    torch.testing.assert_close(network._last_state(sequences, known), network._last_state(without, torch.ones(1, 3)))


def test_a_network_that_has_learned_nothing_is_naive_and_in_order() -> None:
    """On the outputs: few rows then give a forecast near naive."""
    network = Network(Shape(3, 4, 5, 6, 2), torch.Generator().manual_seed(1))
    inputs = torch.randn(9, 3), torch.randn(9, 7, 4), torch.ones(9, 7)
    p10, p50, p90 = network(*inputs).detach().unbind(dim=2)
    assert (p50 == 0).all()
    assert (p10 < p50).all()
    assert (p50 < p90).all()


def test_the_network_kept_is_that_of_the_best_epoch() -> None:
    """On noise, where each epoch after the first fits it better and forecasts worse; and without held-out rows the
    last one is kept."""
    random = np.random.default_rng(1)

    def samples(rows: int) -> Samples:
        read = lstm_network.Read(
            random.normal(size=(rows, 30)).astype(np.float32),
            random.normal(size=(rows, 3, 2)).astype(np.float32),
            np.ones((rows, 3), np.float32),
        )
        return Samples(read, random.normal(size=(rows, 1)).astype(np.float32), np.ones((rows, 1), np.float32))

    fitted, held_out = samples(64), samples(500)
    nothing = Samples(lstm_network.Read(*(a[:0] for a in held_out.read)), held_out.ratios[:0], held_out.weights[:0])
    shape = Shape(30, 2, 8, 32, 1)

    def loss_after(epochs: int, stop_on: Samples) -> float:
        schedule = Schedule(epochs, patience=2, batch=16, learning_rate=0.01, weight_decay=0.0)
        network = lstm_network.train(shape, schedule, fitted, stop_on, [1], threads=1)[0]
        return lstm_network._held_out_loss(network, lstm_network._Batches.of(held_out, torch.device("cpu")))

    assert loss_after(60, held_out) < loss_after(60, nothing)


def test_what_is_read_is_finite_and_as_it_was_fitted(frame: pd.DataFrame, unseen: pd.DataFrame) -> None:
    """On the arrays: vast, unknown and constant values, through JSON, with transforms that forget the rows read."""
    fitted = Inputs.fit(VIDEO_DAY, frame.assign(tag_count=np.nan, title_words=7.0))
    assert not {"tag_count", "title_words"} & {static.name for static in fitted.statics}
    inputs = Inputs.of_json(fitted.as_json())
    assert inputs == fitted
    odd = unseen.assign(view_count=1e15, view_rate_lag_0=-1e12, age_hours=np.nan)
    for array in inputs.read(odd):
        assert np.isfinite(array).all()
        assert np.abs(array).max() <= LIMIT
    whole, alone = inputs.read(unseen), inputs.read(unseen.iloc[:1])
    for many, one in zip(whole, alone, strict=True):
        np.testing.assert_array_equal(many[:1], one)
    assert whole.statics.shape == (len(unseen), inputs.static_count)
    assert whole.sequences.shape == (len(unseen), 7, inputs.channel_count)


def test_sequences_run_from_the_oldest_lag_to_the_origin(frame: pd.DataFrame) -> None:
    """Against the columns themselves: a sequence read backwards would still learn something."""
    inputs = Inputs.fit(VIDEO_DAY, frame)
    number = [channel.columns[0] for channel in inputs.channels if 0 in channel.columns].index("view_rate_lag_0")
    channel = [channel for channel in inputs.channels if 0 in channel.columns][number]
    column = 2 * inputs.channels.index(channel)
    read = inputs.read(frame)
    for lag in range(7):
        rates = frame[f"view_rate_lag_{lag}"].to_numpy()
        known = ~np.isnan(rates)
        np.testing.assert_array_equal(read.sequences[:, 6 - lag, column + 1] == 1, known)
        expected = (np.sign(rates) * np.log1p(np.abs(rates)) - channel.scale.center) / channel.scale.spread
        np.testing.assert_allclose(
            read.sequences[known, 6 - lag, column], np.clip(expected[known], -LIMIT, LIMIT), rtol=1e-5, atol=1e-6
        )
    assert (read.known[:, 6] == 1).all()
    assert 0 < read.known[:, 0].mean() < 1


def test_threads_and_other_users_of_torch_change_nothing(frame: pd.DataFrame, features: pd.DataFrame) -> None:
    """On the forecasts, bit for bit, and on torch's global state, which belongs to the whole process."""
    parameters = SMALL | {"epochs": 2}
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    one = LSTMForecaster(VIDEO_DAY, parameters, threads=1)
    one.fit(frame)
    found = one.predict(features)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    torch.rand(1)
    two = LSTMForecaster(VIDEO_DAY, parameters, threads=2)
    two.fit(frame.copy())
    pd.testing.assert_frame_equal(found, two.predict(features), check_exact=True)
    other = LSTMForecaster(VIDEO_DAY, parameters | {"seed": 7}, threads=2)
    other.fit(frame)
    assert not other.predict(features)["p50"].equals(found["p50"])


def test_targets_of_the_future_teach_nothing(daily: pd.DataFrame, features: pd.DataFrame) -> None:
    """On the forecasts: counts and features after the last training day are shuffled, which must change nothing."""
    parameters = SMALL | {"epochs": 1, "networks": 1}
    random = np.random.default_rng(1)
    later = features["day"] >= TRAIN_UNTIL
    numbers = list(VIDEO_DAY.features)
    shuffled = features.copy()
    shuffled.loc[later, numbers] = features.loc[later, numbers].to_numpy()[random.permutation(int(later.sum()))]
    counts = daily.copy()
    after = counts["day"] > TRAIN_UNTIL
    counts.loc[after, "view_count"] = counts.loc[after, "view_count"].to_numpy()[random.permutation(int(after.sum()))]

    def forecasts(features_read: pd.DataFrame, counts_read: pd.DataFrame) -> pd.DataFrame:
        forecaster = LSTMForecaster(VIDEO_DAY, parameters, threads=1)
        forecaster.fit(training_frame(VIDEO_DAY, features_read, counts_read, TRAIN_UNTIL))
        return forecaster.predict(features[features["day"] == TRAIN_UNTIL])

    pd.testing.assert_frame_equal(forecasts(features, daily), forecasts(shuffled, counts), check_exact=True)


def test_a_target_without_rows_is_forecast_as_naive_would(frame: pd.DataFrame, unseen: pd.DataFrame) -> None:
    """On the forecasts of likes that everybody hides but lately."""
    hidden = frame.assign(**{target_column("likes", h): np.nan for h in VIDEO_DAY.steps_ahead})
    forecaster = LSTMForecaster(VIDEO_DAY, SMALL | {"epochs": 1, "networks": 1}, threads=1)
    forecaster.fit(hidden)
    found = forecaster.predict(unseen)
    likes = found[found["target"] == "likes"]
    increments = unseen["like_increment"].dropna().clip(lower=0)
    for horizon in VIDEO_DAY.horizons:
        rows = likes[likes["horizon"] == horizon]
        for quantile in ("p10", "p50", "p90"):
            np.testing.assert_array_equal(rows[quantile], increments * horizon)
    views = found[found["target"] == "views"]
    assert (views["p10"] < views["p90"]).mean() > 0.99


def test_cuda_is_used_when_torch_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the choice alone: machines that run tests rarely have a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert lstm_network.device().type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert lstm_network.device().type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_network_trained_by_cuda_is_loaded_on_the_cpu(
    frame: pd.DataFrame, unseen: pd.DataFrame, tmp_path: Path
) -> None:
    """On the bundle: training and forecasting machines differ."""
    forecaster = LSTMForecaster(VIDEO_DAY, {}, threads=1)
    forecaster.fit(frame)
    forecaster.save(tmp_path)
    assert all(not weight.is_cuda for part in torch.load(tmp_path / "weights.pt") for weight in part.values())
    found = LSTMForecaster.load(tmp_path, 1).predict(unseen)
    pd.testing.assert_frame_equal(found, forecaster.predict(unseen), check_exact=True)


LOAD_AND_PREDICT = """
import sys
from pathlib import Path
import pandas as pd
from yt_platform.forecasting.forecasters.lstm import LSTMForecaster
assert "torch" not in sys.modules
LSTMForecaster.load(Path(sys.argv[1]), 2).predict(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
"""


def test_a_loaded_bundle_predicts_the_same_bits(
    forecaster: LSTMForecaster, unseen: pd.DataFrame, tmp_path: Path
) -> None:
    """In a fresh process, as training and forecasting are different runs; torch is not imported before it is used."""
    forecaster.save(tmp_path / "bundle")
    unseen.to_parquet(tmp_path / "features.parquet")
    files = [str(tmp_path / name) for name in ("bundle", "features.parquet", "forecasts.parquet")]
    subprocess.run([sys.executable, "-c", LOAD_AND_PREDICT, *files], check=True)
    found = pd.read_parquet(tmp_path / "forecasts.parquet")
    figures = ["p10", "p50", "p90"]

    def bits(rows: pd.DataFrame) -> npt.NDArray[np.float64]:
        return rows[figures].to_numpy()

    np.testing.assert_array_equal(bits(found), bits(forecaster.predict(unseen)))


def test_a_bundle_of_other_features_is_refused(forecaster: LSTMForecaster, tmp_path: Path) -> None:
    """On the file: the message says what to do."""
    forecaster.save(tmp_path)
    bundle = (tmp_path / BUNDLE).read_text()
    (tmp_path / BUNDLE).write_text(bundle.replace('"weekday"', '"moon_phase"'))
    with pytest.raises(ValueError, match=r"other features .*\['moon_phase', 'weekday'\].* train a new one"):
        LSTMForecaster.load(tmp_path, threads=1)


def test_a_parameter_it_has_not_is_refused() -> None:
    """On the message: a tuned parameter that goes nowhere would look tuned."""
    with pytest.raises(ValueError, match=r"not tuned by \['depth'\]"):
        LSTMForecaster(VIDEO_DAY, {"depth": 3}, threads=1)
