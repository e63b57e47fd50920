#!/usr/bin/env python3
"""Writes what river, scikit-learn and numpy compute on small streams, to be compared with `backpass::stream` by tests/stream.

    pip install river scikit-learn safetensors numpy
    python stream.py                  # writes stream.safetensors beside this file
    python stream.py --folder other   # into another folder

Streams, settings and first weights are float32, as both sides of the comparison see them; all is computed in float64 and rounded
at the end. The same versions give the same bytes; the file's metadata says which they were.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import river
import sklearn
import sklearn.preprocessing
from river import anomaly, drift, evaluate, linear_model, metrics, optim, preprocessing, stats, utils
from river.base import AnomalyDetector
from safetensors.numpy import save_file
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, confusion_matrix, precision_score, recall_score
from sklearn.neural_network import MLPClassifier

Tensors = dict[str, np.ndarray]


def scalers(rng: np.random.Generator) -> Tensors:
    """Four channels of other offset and size, the last constant; statistics and outputs after each row."""
    rows = rng.normal(size=(300, 4)) * [1.0, 30.0, 1e-3, 0.0] + [0.0, -500.0, 0.25, 7.0]
    rows = rows.astype(np.float32)
    tensors = {"scaler/rows": rows}
    for name, scaler in {
        "standard": preprocessing.StandardScaler(),
        "min_max": preprocessing.MinMaxScaler(),
    }.items():
        outputs = []
        for row in rows.astype(float):
            x = dict(enumerate(row))
            scaler.learn_one(x)
            outputs.append(list(scaler.transform_one(x).values()))
        tensors[f"scaler/{name}"] = np.array(outputs)
    batch = sklearn.preprocessing.StandardScaler().fit(rows.astype(float))
    tensors |= {"scaler/mean": batch.mean_, "scaler/variance": batch.var_}
    # What scikit-learn gives for the first rows, fitted on all.
    tensors["scaler/standard, fitted"] = batch.transform(rows[:20].astype(float))
    batch = sklearn.preprocessing.MinMaxScaler().fit(rows.astype(float))
    tensors["scaler/min_max, fitted"] = batch.transform(rows[:20].astype(float))
    running = stats.Mean()
    means = []
    for x in rows[:, 1].astype(float):
        running.update(x)
        means.append(running.get())
    return tensors | {"scaler/means of channel 1": np.array(means)}


def windows(rng: np.random.Generator) -> Tensors:
    """Windows of 7 rows."""
    rows = rng.normal(size=(40, 2)).astype(np.float32)
    every = np.lib.stride_tricks.sliding_window_view(rows, 7, axis=0).swapaxes(1, 2)
    return {"window/rows": rows} | {f"window/hop {hop}": every[::hop].copy() for hop in (1, 3, 7, 9)}


def losses(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Streams such as losses: steps up and down, a slope, right and wrong answers, a spread that changes alone."""
    step = rng.normal(0.5, 0.2, 6000)
    step[2000:] += 0.6
    step[4000:] -= 0.9
    slope = rng.exponential(0.3, 6000)
    slope[3000:] += np.linspace(0, 1.5, 3000)
    errors = (rng.random(6000) < np.repeat([0.05, 0.3, 0.1], 2000)).astype(float)
    spread = rng.normal(1.0, np.repeat([0.1, 0.4], 3000))
    falling = 2.0 * np.exp(-np.arange(6000) / 400) + rng.gamma(2.0, 0.05, 6000)
    falling[4500:] += 0.4
    streams = {"step": step, "slope": slope, "errors": errors, "spread": spread, "falling": falling}
    return {name: values.astype(np.float32) for name, values in streams.items()}


def single(value: float) -> float:
    """A setting, as a float32 sees it."""
    return float(np.float32(value))


def detections(detector, stream: np.ndarray, note=None) -> np.ndarray:
    """The positions of the alarms."""
    found = []
    for i, x in enumerate(stream.astype(float)):
        detector.update(x)
        if detector.drift_detected:
            found.append(i)
        if note is not None:
            note(i, detector)
    return np.array(found, dtype=np.int64)


def drifts(rng: np.random.Generator) -> Tensors:
    tensors: Tensors = {}
    for name, stream in losses(rng).items():
        tensors[f"drift/{name}"] = stream
        defaults = {"delta": single(0.005), "alpha": single(1 - 0.0001)}
        for case, settings in {
            "default": defaults,
            "threshold 10": defaults | {"threshold": 10.0},
            "up": defaults | {"threshold": 15.0, "mode": "up"},
            "down, forgetting": {
                "delta": single(0.02), "alpha": single(0.99), "threshold": 4.0, "min_instances": 100, "mode": "down"
            },
        }.items():
            sums = []

            def note(_, detector):
                up = detector._sum_increase - detector._min_increase
                sums.append([up, detector._max_decrease - detector._sum_decrease])

            found = detections(drift.PageHinkley(**settings), stream, note)
            tensors[f"drift/{name}/page_hinkley, {case}"] = found
            tensors[f"drift/{name}/page_hinkley, {case}, sums"] = np.array(sums)[::50]
        for case, settings in {
            "default": {"delta": single(0.002)},
            "every value": {"delta": single(0.05), "clock": 1, "min_window_length": 10, "grace_period": 50},
            "three buckets": {"delta": single(0.002), "max_buckets": 3},
        }.items():
            trace = []

            def note(i, detector):
                if i % 100 == 99:
                    # The property `variance` is the sum of squares.
                    trace.append([detector.width, detector.estimation, detector.variance / detector.width])

            found = detections(drift.ADWIN(**settings), stream, note)
            tensors[f"drift/{name}/adwin, {case}"] = found
            tensors[f"drift/{name}/adwin, {case}, trace"] = np.array(trace)
    return tensors


def quantiles(rng: np.random.Generator) -> Tensors:
    """The quantile after each value; and which scores a filter takes for anomalies, before it learns them."""
    tensors: Tensors = {}
    streams = {"normal": rng.normal(3.0, 1.0, 2000), "exponential": rng.exponential(0.1, 2000)}
    streams["sorted"] = np.sort(rng.random(500))
    # Many equal values.
    streams["coarse"] = np.round(rng.normal(0.0, 2.0, 1000))
    for name, stream in streams.items():
        stream = stream.astype(np.float32)
        tensors[f"quantile/{name}"] = stream
        for q in (0.05, 0.5, 0.9, 0.95, 0.99):
            quantile = stats.Quantile(single(q))
            outputs = []
            for x in stream.astype(float):
                quantile.update(x)
                outputs.append(quantile.get())
            tensors[f"quantile/{name}/{q}"] = np.array(outputs)

    class Score(AnomalyDetector):
        """The score is the value itself."""

        def learn_one(self, x):
            pass

        def score_one(self, x):
            return x["score"]

    filter = anomaly.QuantileFilter(Score(), q=single(0.95))
    anomalies = []
    for x in tensors["quantile/exponential"].astype(float):
        anomalies.append(int(filter.classify(x)))
        filter.learn_one({"score": x})
    return tensors | {"quantile/anomalies": np.array(anomalies, dtype=np.int64)}


def classification(rng: np.random.Generator) -> Tensors:
    """Answers for 5 classes, of which the last never comes."""
    actual = rng.choice(4, p=[0.6, 0.25, 0.1, 0.05], size=600)
    predicted = np.where(rng.random(600) < 0.7, actual, rng.integers(0, 5, 600))
    accuracy, rolling = metrics.Accuracy(), utils.Rolling(metrics.Accuracy, window_size=50)
    balanced, kappa = metrics.BalancedAccuracy(), metrics.CohenKappa()
    trace = []
    for t, p in zip(actual.tolist(), predicted.tolist()):
        for metric in (accuracy, rolling, balanced, kappa):
            metric.update(t, p)
        trace.append([metric.get() for metric in (accuracy, rolling, balanced, kappa)])
    labels = list(range(5))
    with warnings.catch_warnings(action="ignore"):
        final = [balanced_accuracy_score(actual, predicted), cohen_kappa_score(actual, predicted)]
    more = {"labels": labels, "average": None, "zero_division": 0}
    return {
        "metrics/actual": actual.astype(np.int64),
        "metrics/predicted": predicted.astype(np.int64),
        "metrics/accuracy, rolling, balanced, kappa": np.array(trace),
        "metrics/balanced and kappa of scikit-learn": np.array(final),
        "metrics/confusion": confusion_matrix(actual, predicted, labels=labels).astype(np.int64),
        "metrics/recall": recall_score(actual, predicted, **more),
        "metrics/precision": precision_score(actual, predicted, **more),
    }


def prequential(rng: np.random.Generator) -> Tensors:
    """Test, then train: a softmax regression on digits by plain descent, its answer and the accuracy at each image."""
    images, classes = load_digits(return_X_y=True)
    order = rng.permutation(len(images))[:400]
    images, classes = images[order], classes[order]
    weights = rng.normal(0.0, 0.01, (64, 10)).astype(np.float32)
    model = linear_model.SoftmaxRegression(optimizer=optim.SGD(single(0.05)))
    for label in range(10):
        model.weights[label] = dict(enumerate(weights[:, label].astype(float)))
    stream = [(dict(enumerate(x / 16.0)), int(y)) for x, y in zip(images, classes)]
    metric, rolling = metrics.Accuracy(), utils.Rolling(metrics.Accuracy, window_size=50)
    answers, trace = [], []
    for step in evaluate.iter_progressive_val_score(stream, model, metric, step=1, yield_predictions=True):
        answer = step["Prediction"]
        rolling.update(int(classes[len(answers)]), answer)
        answers.append(answer)
        trace.append([step["Accuracy"].get(), rolling.get()])
    return {
        "prequential/pixels": images.astype(np.uint8),
        "prequential/classes": classes.astype(np.int64),
        "prequential/weights": weights,
        "prequential/answers": np.array(answers, dtype=np.int64),
        "prequential/accuracy, rolling": np.array(trace),
    }


def early_stop() -> Tensors:
    """The losses of a network's epochs, until it stopped."""
    images, classes = load_digits(return_X_y=True)
    tensors = {}
    for name, tol, patience, rate in (("a", 1e-4, 10, 0.01), ("b", 1e-2, 3, 0.02), ("c", 1e-3, 1, 0.05)):
        network = MLPClassifier(
            (16,), solver="sgd", learning_rate_init=rate, tol=single(tol), n_iter_no_change=patience, max_iter=2000, random_state=0
        ).fit(images[:300] / 16.0, classes[:300])
        assert network.n_iter_ < 2000
        tensors[f"early_stop/{name}, {tol}, {patience}"] = np.array(network.loss_curve_)
    return tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="See the head of this file for more.")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent, help="where (default: beside this script)")
    folder = parser.parse_args().folder

    versions = f"river {river.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}"
    print(versions)
    parts = [scalers, windows, drifts, quantiles, classification, prequential]
    tensors: Tensors = {}
    for seed, part in enumerate(parts):
        tensors |= part(np.random.default_rng(seed))
    tensors |= early_stop()
    tensors = {
        name: np.ascontiguousarray(values.astype(np.float32) if values.dtype == np.float64 else values)
        for name, values in tensors.items()
    }
    file = folder / "stream.safetensors"
    save_file(tensors, file, metadata={"versions": versions})
    for name, values in tensors.items():
        if values.dtype == np.int64 and name.startswith("drift"):
            print(f"{name}: alarms at {values.tolist()}")
    print(f"{file}: {len(tensors)} tensors, {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
