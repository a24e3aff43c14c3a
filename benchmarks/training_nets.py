"""Nets of published systems, written plainly in torch and in Keras, and as sersk has them.

``bench_training.py`` starts this file once for each way of training: a process has one allocator,
and Keras may live in another environment.

    python training_nets.py WAY NET LENGTHS EPOCHS

It prints the seconds of each epoch as JSON; WAY ``overhead`` those by skorch and without, by turns.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

BATCH = 64
N_CLASSES = 8
# name: (shape of a clip, clips)
NETS = {
    "CNN-GRU": ((3, 64, 94), 512),
    "CNN-BiLSTM + attention": ((3, 64, 94), 512),
    "system 3": ((1, 182, 130), 128),
    "Conv1D": ((162,), 2048),
}


def data(net: str, lengths: str) -> tuple[np.ndarray, np.ndarray]:
    shape, n = NETS[net]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, *shape)).astype(np.float32)
    if lengths == "padded":
        for clip, share in zip(X, rng.uniform(0.5, 1, n), strict=True):
            clip[..., int(share * shape[-1]) :] = np.nan
    return X, rng.integers(N_CLASSES, size=n)


def sersk_net(net: str, **options: Any) -> Any:
    from sersk.neural_network import CNNClassifier, CRNNClassifier

    common = {"batch_size": BATCH, "dropout": 0.2, "random_state": 0, **options}
    if net == "CNN-GRU":
        return CRNNClassifier(
            filters=(32, 64), pool_sizes=2, hidden_sizes=(64,), attention_heads=4, pooling="mean",
            hidden_units=(64,), **common,
        )  # fmt: skip
    if net == "CNN-BiLSTM + attention":
        return CRNNClassifier(
            filters=(32, 64), pool_sizes=2, cell="lstm", hidden_sizes=(64,), pooling="attention",
            hidden_units=(64,), **common,
        )  # fmt: skip
    if net == "system 3":
        return CRNNClassifier(
            filters=(32, 64, 128), pool_sizes=2, convs_per_block=2, cell="lstm",
            hidden_sizes=(256, 128), pooling="last", hidden_units=(256,), **common,
        )  # fmt: skip
    return CNNClassifier(
        conv_dim=1, filters=(256, 256, 128, 64), kernel_sizes=5, pool_sizes=2, pooling="flatten",
        hidden_units=(32,), batch_norm=False, **common,
    )  # fmt: skip


def train_sersk(net: str, lengths: str, epochs: int, **options: Any) -> list[float]:
    X, y = data(net, lengths)
    fitted = sersk_net(net, max_epochs=epochs, **options).fit(X, y)
    return [epoch["dur"] for epoch in fitted.history_]


def measure_overhead(net: str, lengths: str, epochs: int) -> list[float]:
    """CPU seconds of epochs by skorch and by a bare loop, by turns, with the same net and batches.

    By turns, so that what else the machine does weighs on both.
    """
    import torch

    from sersk._utils._lengths import valid_lengths
    from sersk.neural_network._data import ClipDataset

    X, y = data(net, lengths)
    inner = sersk_net(net, max_epochs=1).fit(X, y).net_
    clips = ClipDataset(X, None if X.ndim == 2 else valid_lengths(X), y)
    batches = inner.get_iterator(clips, training=True)
    seconds = []
    for number in range(epochs):
        started = time.process_time()
        inner.fit_loop(clips, epochs=number + 2)
        seconds.append(time.process_time() - started)
        started = time.process_time()
        inner.module_.train()
        for batch, target in batches:
            inner.optimizer_.zero_grad()
            loss = inner.get_loss(inner.infer(batch), target, X=batch, training=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(inner.module_.parameters(), 5.0)
            inner.optimizer_.step()
            loss.item()
        seconds.append(time.process_time() - started)
    return seconds


def train_plain(net: str, lengths: str, epochs: int) -> list[float]:
    """As tutorials have it: a module, a DataLoader, Adam, float32; padding filled with zeros."""
    import torch
    from torch import nn

    X, y = data(net, lengths)
    shape, _ = NETS[net]

    def conv(n_in: int, n_out: int) -> list[nn.Module]:
        return [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]

    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            drop = nn.Dropout(0.2)
            if net == "Conv1D":
                layers: list[nn.Module] = []
                for n_in, n_out in ((1, 256), (256, 256), (256, 128), (128, 64)):
                    layers += [nn.Conv1d(n_in, n_out, 5, padding=2), nn.ReLU()]
                    layers += [nn.MaxPool1d(2, ceil_mode=True), drop]
                self.convs = nn.Sequential(*layers)
                self.head = nn.Sequential(
                    nn.Flatten(), nn.Linear(64 * 11, 32), nn.ReLU(), drop, nn.Linear(32, N_CLASSES)
                )
                return
            if net == "system 3":
                layers = []
                for n_in, n_out in ((1, 32), (32, 64), (64, 128)):
                    layers += [*conv(n_in, n_out), *conv(n_out, n_out)]
                    layers += [nn.MaxPool2d(2, ceil_mode=True), drop]
                self.convs = nn.Sequential(*layers)
                self.first = nn.LSTM(128 * 23, 256, batch_first=True, bidirectional=True)
                self.second = nn.LSTM(512, 128, batch_first=True, bidirectional=True)
                dense = [nn.Linear(256, 256), nn.BatchNorm1d(256), nn.ReLU(), drop]
                self.head = nn.Sequential(*dense, nn.Linear(256, N_CLASSES))
                return
            pool = nn.MaxPool2d(2, ceil_mode=True)
            self.convs = nn.Sequential(*conv(3, 32), pool, drop, *conv(32, 64), pool, drop)
            cell = nn.GRU if net == "CNN-GRU" else nn.LSTM
            self.first = cell(64 * 16, 64, batch_first=True, bidirectional=True)
            if net == "CNN-GRU":
                self.attention = nn.MultiheadAttention(128, 4, batch_first=True)
                self.norm = nn.LayerNorm(128)
            else:
                self.score = nn.Sequential(nn.Linear(128, 64), nn.Tanh(), nn.Linear(64, 1))
            dense = [nn.Linear(128, 64), nn.BatchNorm1d(64), nn.ReLU(), drop]
            self.head = nn.Sequential(*dense, nn.Linear(64, N_CLASSES))

        def forward(self, x: Any) -> Any:
            if net == "Conv1D":
                return self.head(self.convs(x[:, None]))
            x = self.convs(x).flatten(1, 2).transpose(1, 2)
            x, _ = self.first(x)
            if net == "system 3":
                x, (last, _) = self.second(x)
                return self.head(torch.cat([last[0], last[1]], 1))
            if net == "CNN-GRU":
                x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
                return self.head(x.mean(1))
            return self.head((self.score(x).softmax(1) * x).sum(1))

    torch.manual_seed(0)
    module, loss_of = Plain(), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    clips = torch.utils.data.TensorDataset(torch.from_numpy(np.nan_to_num(X)), torch.from_numpy(y))
    batches = torch.utils.data.DataLoader(clips, batch_size=BATCH, shuffle=True)
    assert X.shape[1:] == shape
    seconds = []
    for _ in range(epochs):
        started = time.perf_counter()
        for some, labels in batches:
            optimizer.zero_grad()
            loss = loss_of(module(some), labels)
            loss.backward()
            optimizer.step()
            loss.item()
        seconds.append(time.perf_counter() - started)
    return seconds


def train_keras(net: str, lengths: str, epochs: int) -> list[float]:
    import keras
    from keras import layers

    X, y = data(net, lengths)
    X = np.nan_to_num(X)

    def conv(x: Any, n: int) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(n, 3, padding="same")(x)))

    def dense(x: Any, n: int) -> Any:
        x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(n)(x)))
        return layers.Dropout(0.2)(x)

    if net == "Conv1D":
        X = X[:, :, None]
        x = inputs = keras.Input(X.shape[1:])
        for n in (256, 256, 128, 64):
            x = layers.Conv1D(n, 5, padding="same", activation="relu")(x)
            x = layers.Dropout(0.2)(layers.MaxPool1D(2, padding="same")(x))
        x = layers.Dropout(0.2)(layers.Dense(32, activation="relu")(layers.Flatten()(x)))
    else:
        X = np.ascontiguousarray(X.transpose(0, 3, 2, 1))  # time, frequency, channels
        x = inputs = keras.Input(X.shape[1:])
        blocks = ((32, 32), (64, 64), (128, 128)) if net == "system 3" else ((32,), (64,))
        for block in blocks:
            for n in block:
                x = conv(x, n)
            x = layers.Dropout(0.2)(layers.MaxPool2D(2, padding="same")(x))
        x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
        if net == "system 3":
            x = layers.Bidirectional(layers.LSTM(256, return_sequences=True))(x)
            x = dense(layers.Bidirectional(layers.LSTM(128))(x), 256)
        else:
            cell = layers.GRU if net == "CNN-GRU" else layers.LSTM
            x = layers.Bidirectional(cell(64, return_sequences=True))(x)
            if net == "CNN-GRU":
                x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 32)(x, x))
                x = layers.GlobalAveragePooling1D()(x)
            else:
                score = layers.Dense(1)(layers.Dense(64, activation="tanh")(x))
                x = layers.Dot(axes=1)([layers.Softmax(axis=1)(score), x])
                x = layers.Flatten()(x)
            x = dense(x, 64)
    model = keras.Model(inputs, layers.Dense(N_CLASSES, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy")
    seconds: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            seconds.append(time.perf_counter() - self.started)

    model.fit(X, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[Clock()])
    return seconds


def main() -> None:
    way, net, lengths, epochs = *sys.argv[1:4], int(sys.argv[4])
    if way == "keras":
        seconds = train_keras(net, lengths, epochs)
    elif way == "plain":
        seconds = train_plain(net, lengths, epochs)
    elif way == "overhead":
        seconds = measure_overhead(net, lengths, epochs)
    else:
        options: dict[str, Any] = {}
        if "float32" in way:
            options["precision"] = "float32"
        if "tuned" in way:
            import sersk

            sersk.tune_allocator()
        seconds = train_sersk(net, lengths, epochs, **options)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
