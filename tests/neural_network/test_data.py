"""Batches, statistics of clips, and what chance does to a batch in training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import balanced_accuracy_score

from sersk.augmentation import SpecAugment
from sersk.neural_network import _data
from sersk.neural_network._augment import Augmentation, mask_by_chance
from sersk.neural_network._callbacks import balanced_accuracy
from sersk.neural_network._data import (
    Batch,
    BatchIterator,
    ClipDataset,
    Preparation,
    cut,
    shape_in_layout,
    weighted_moments,
)

NAN = np.nan
LAYOUTS = ("image", "sequence", "vector")


def preparation(mean=None, scale=None, layout="sequence", *, fill_to=None):
    cpu = torch.device("cpu")
    return Preparation(mean, scale, layout, fill_to, cpu, torch.float32)


def no_chance(n_classes=2, **changes):
    """What training does to a batch where nothing is drawn."""
    settings = {"spec_augment": None, "mixup": 0.0, "label_smoothing": 0.0, **changes}
    return Augmentation(n_classes, **settings)


def clips(lengths, n_features=2, n_frames=None):
    """Clips that hold their own row number, NaN behind their lengths."""
    lengths = np.asarray(lengths, dtype=np.intp)
    n_frames = max(lengths.max(), 1) if n_frames is None else n_frames
    X = np.broadcast_to(
        np.arange(len(lengths), dtype=np.float32)[:, None, None],
        (len(lengths), n_features, n_frames),
    ).copy()
    X[np.broadcast_to((np.arange(n_frames) >= lengths[:, None])[:, None], X.shape)] = NAN
    return X, lengths


def rows_of(batches):
    return [batch.x[:, 0, 0].long().tolist() for batch, _ in batches]


# ------------------------------------------------------------------------------------- batches


@given(n_rows=st.integers(1, 200), batch_size=st.integers(1, 50))
def test_cuts_hold_each_row_once_and_in_order(n_rows, batch_size):
    rows = np.arange(n_rows) + 7
    batches = cut(rows, batch_size)
    assert_array_equal(np.concatenate(batches), rows)
    sizes = [len(batch) for batch in batches]
    assert all(size == batch_size for size in sizes[:-1])
    assert 1 <= sizes[-1] <= batch_size + 1
    if n_rows > 1 and batch_size > 1:
        assert min(sizes) > 1


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=120),
    batch_size=st.integers(1, 16),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_an_epoch_goes_once_through_the_rows_that_count(lengths, batch_size, seed, data):
    X, lengths = clips(lengths)
    rows = np.array(
        data.draw(st.lists(st.sampled_from(range(len(X))), min_size=1, unique=True)), dtype=np.intp
    )
    y = np.arange(len(X)) % 2
    iterator = BatchIterator(
        ClipDataset(X, lengths, y, rows=rows), preparation(), batch_size, no_chance()
    )
    torch.manual_seed(seed)
    batches = rows_of(iterator)
    assert len(batches) == len(iterator)
    assert sorted(row for batch in batches for row in batch) == sorted(rows)
    assert max(map(len, batches)) <= batch_size + 1
    if batch_size > 1 and len(rows) > 1:
        assert min(map(len, batches)) > 1


def test_the_order_is_drawn_anew_in_each_epoch_and_not_from_lengths():
    X, lengths = clips([9] * 40)
    data = ClipDataset(X, lengths, np.zeros(40, dtype=np.int64))
    iterator = BatchIterator(data, preparation(), 8, no_chance())
    torch.manual_seed(0)
    first, second = rows_of(iterator), rows_of(iterator)
    assert first != second
    torch.manual_seed(0)
    assert rows_of(iterator) == first
    # The order in which rows are listed is no source of chance either.
    data.rows = data.rows[::-1]
    torch.manual_seed(0)
    assert rows_of(iterator) == first


def test_clips_of_similar_lengths_stand_together_in_other_company_each_time():
    lengths = np.random.default_rng(0).integers(1, 100, 400)
    X, lengths = clips(lengths)
    data = ClipDataset(X, lengths, np.zeros(400, dtype=np.int64))
    iterator = BatchIterator(data, preparation(), 10, no_chance())
    torch.manual_seed(0)
    batches = rows_of(iterator)
    frames = sum(len(batch) * lengths[batch].max() for batch in batches)
    by_chance = sum(10 * lengths[i : i + 10].max() for i in range(0, 400, 10))
    assert lengths.sum() <= frames < 0.7 * by_chance
    longest = [lengths[batch].max() for batch in batches]
    assert longest != sorted(longest)
    company = {frozenset(batch) for batch in batches}
    assert not company & {frozenset(batch) for batch in rows_of(iterator)}


def test_without_training_rows_come_by_length_and_without_chance():
    X, lengths = clips([5, 2, 9, 0, 2])
    data = ClipDataset(X, lengths, np.arange(5))
    state = torch.get_rng_state()
    batches = list(BatchIterator(data, preparation(), 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert [y.tolist() for _, y in batches] == [[3, 1], [4, 0, 2]]
    assert all(batch.target is None for batch, _ in batches)


def test_batches_are_no_longer_than_their_longest_clip():
    X, lengths = clips([3, 1, 7, 5], n_frames=40)
    data = ClipDataset(X, lengths, np.zeros(4, dtype=np.int64))
    shapes = [batch.x.shape[-1] for batch, _ in BatchIterator(data, preparation(), 2)]
    assert shapes == [3, 7]
    sound = preparation(fill_to=40)
    assert [batch.x.shape[-1] for batch, _ in BatchIterator(data, sound, 2)] == [40, 40]


def test_a_data_set_is_one_of_torch():
    X, lengths = clips([5, 2, 9])
    data = ClipDataset(X, lengths, np.array([1, 0, 1]))
    assert len(data) == 3
    clip, label = data[0]
    assert_array_equal(clip, X[1])
    assert (label, type(label)) == (0, int)


# --------------------------------------------------------------------------------- preparation


@pytest.mark.parametrize("layout", LAYOUTS)
def test_standardisation_comes_before_the_zeros(layout, rng):
    X = rng.normal(3, 5, size=(4, 2, 6)).astype(np.float32)
    lengths = np.array([6, 2, 0, 5])
    for clip, length in zip(X, lengths, strict=True):
        clip[:, length:] = NAN
    mean, scale = np.array([1.0, -2.0]), np.array([4.0, 0.5])
    if layout == "vector":
        X, lengths = np.nan_to_num(X[..., 0]), None
    kept = X.copy()
    batch = preparation(mean, scale, layout)(X, lengths)
    axes = (...,) if layout == "vector" else (..., None)
    expected = np.nan_to_num((X - mean[axes]) / scale[axes])
    assert_allclose(batch.x.numpy().reshape(expected.shape), expected, rtol=1e-5)
    assert_array_equal(X, kept)


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((4,), "image", (1, 4, 1)),
        ((4,), "sequence", (4, 1)),
        ((4,), "vector", (1, 4)),
        ((4, 9), "image", (1, 4, 9)),
        ((4, 9), "sequence", (4, 9)),
        ((3, 4, 9), "image", (3, 4, 9)),
        ((3, 4, 9), "sequence", (12, 9)),
    ],
)
def test_layouts(shape, layout, expected, rng):
    X = rng.normal(size=(5, *shape)).astype(np.float32)
    lengths = None if len(shape) == 1 else np.full(5, 9)
    batch = preparation(layout=layout)(X, lengths)
    assert batch.x.shape == (5, *expected)
    assert_array_equal(batch.x.numpy().ravel(), X.ravel())
    assert batch.lengths is None
    inner = shape if len(shape) == 1 else shape[:-1]
    assert shape_in_layout(inner, layout) == expected[:-1]


# ---------------------------------------------------------------------------------- statistics


@given(
    lengths=st.lists(st.integers(1, 12), min_size=2, max_size=30),
    seed=st.integers(0, 1000),
    weighted=st.booleans(),
    n_axes=st.sampled_from([2, 3, 4]),
    block=st.sampled_from([1, 100, 2**26]),
)
def test_moments_are_those_of_valid_frames_repeated_by_weight(
    lengths, seed, weighted, n_axes, block
):
    rng = np.random.default_rng(seed)
    inner = {2: (3,), 3: (3, 12), 4: (2, 3, 12)}[n_axes]
    X = rng.normal(5, 2, size=(len(lengths), *inner))
    weight = rng.integers(0, 4, len(lengths)) if weighted else np.ones(len(lengths), dtype=int)
    weight[0] = 1
    if n_axes > 2:
        for clip, length in zip(X, lengths, strict=True):
            clip[..., length:] = NAN
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_data, "_STATISTICS_BYTES", block)
        mean, scale = weighted_moments(
            X, np.array(lengths) if n_axes > 2 else None, weight.astype(float) if weighted else None
        )
    repeated = np.repeat(X, weight, axis=0)
    axes = 0 if n_axes == 2 else (0, -1)
    assert mean.shape == inner[: 1 if n_axes == 2 else -1]
    assert_allclose(mean, np.nanmean(repeated, axis=axes), rtol=1e-10)
    std = np.nanstd(repeated, axis=axes)
    assert_allclose(scale, np.where(std < 1e-5, 1.0, std), rtol=1e-8)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6, 3e37, 1e-30])
def test_what_never_changes_is_divided_by_one(value):
    X = np.full((50, 2, 30), value, dtype=np.float32)
    mean, scale = weighted_moments(X, np.full(50, 30), None)
    assert_allclose(mean, value, rtol=1e-6)
    assert_array_equal(scale, 1.0)


@pytest.mark.parametrize("size", [1e-40, 1e-30, 1e-5, 1e30])
def test_features_of_any_size_are_standardised(size, rng):
    X = (rng.normal(size=(40, 3)) * size).astype(np.float32)
    batch = preparation(*weighted_moments(X, None, None), layout="sequence")(X, None)
    found = batch.x.numpy()
    assert np.isfinite(found).all()
    if size >= 1e-30:
        assert_allclose(found.std(axis=0).ravel(), 1, rtol=1e-3)


# --------------------------------------------------------------------------------------- masks


def ones(lengths, shape, n_frames):
    """Ones as far as each clip goes, zeros behind."""
    x = torch.ones(len(lengths), *shape, n_frames)
    x[
        (torch.arange(n_frames) >= torch.tensor(lengths)[:, None])
        .view(len(lengths), *[1] * len(shape), n_frames)
        .expand_as(x)
    ] = 0
    return x


masks = st.builds(
    SpecAugment,
    n_time_masks=st.integers(0, 3),
    max_time_fraction=st.floats(0, 1),
    n_freq_masks=st.integers(0, 3),
    max_freq_fraction=st.floats(0, 1),
    fill=st.sampled_from(["mean", "min", "zero"]),
)
any_lengths = st.lists(st.integers(1, 20), min_size=1, max_size=6)
shapes = st.sampled_from([(7,), (1,), (2, 7), (1, 1)])


@given(lengths=any_lengths, shape=shapes, masks=masks, seed=st.integers(0, 10**6))
def test_masks_never_touch_the_padding_nor_the_batch_that_is_given(lengths, shape, masks, seed):
    x = ones(lengths, shape, 25) * 3
    kept = x.clone()
    torch.manual_seed(seed)
    found = mask_by_chance(x, torch.tensor(lengths), masks)
    assert torch.equal(x, kept)
    assert found.shape == x.shape
    assert found.isfinite().all()
    assert not found[kept == 0].any()


@given(lengths=any_lengths, shape=shapes, masks=masks, seed=st.integers(0, 10**6))
def test_masks_do_not_hang_on_the_padding(lengths, shape, masks, seed):
    found = []
    for n_frames in (20, 31):
        torch.manual_seed(seed)
        x = ones(lengths, shape, n_frames)
        x = x * torch.arange(1.0, n_frames + 1)
        found.append(mask_by_chance(x, torch.tensor(lengths), masks)[..., :20])
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=0)


@given(
    lengths=any_lengths,
    shape=shapes,
    n_masks=st.integers(0, 3),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 10**6),
)
def test_time_masks_are_no_wider_than_their_share_of_the_clip(
    lengths, shape, n_masks, fraction, seed
):
    torch.manual_seed(seed)
    masks = SpecAugment(
        n_time_masks=n_masks, max_time_fraction=fraction, n_freq_masks=0, fill="zero"
    )
    x = ones(lengths, shape, 22)
    masked = mask_by_chance(x, torch.tensor(lengths), masks) != x
    masked = masked.flatten(1, -2)
    assert torch.equal(masked.all(1), masked.any(1))  # all bins of all channels alike
    for row, length in zip(masked[:, 0].numpy(), lengths, strict=True):
        edges = np.diff(np.r_[0, row.astype(int), 0])
        widest = int(fraction * length * (1 + 1e-6))  # in single precision
        assert np.count_nonzero(edges == 1) <= n_masks
        assert row.sum() <= n_masks * widest
        if n_masks == 1:
            assert row.sum() <= widest


@given(
    shape=st.sampled_from([(7,), (3, 10)]),
    n_masks=st.integers(0, 3),
    fraction=st.floats(0, 1),
    seed=st.integers(0, 10**6),
)
def test_frequency_masks_are_no_wider_than_their_share_of_the_bins(shape, n_masks, fraction, seed):
    torch.manual_seed(seed)
    masks = SpecAugment(
        n_time_masks=0, n_freq_masks=n_masks, max_freq_fraction=fraction, fill="zero"
    )
    x = torch.ones(4, *shape, 9)
    masked = mask_by_chance(x, None, masks) != x
    assert torch.equal(masked.all(-1), masked.any(-1))
    by_bin = masked[..., 0].view(4, -1, shape[-1])
    assert torch.equal(by_bin.all(1), by_bin.any(1))
    assert int(by_bin.any(1).sum(1).max()) <= n_masks * int(fraction * shape[-1] * (1 + 1e-6))


def test_widths_and_places_are_drawn_evenly():
    torch.manual_seed(0)
    masks = SpecAugment(n_time_masks=1, max_time_fraction=0.4, n_freq_masks=0, fill="zero")
    n_clips, n_frames = 20000, 10
    x = torch.ones(n_clips, 1, n_frames)
    masked = (mask_by_chance(x, None, masks) != x)[:, 0].numpy()
    widths = np.bincount(masked.sum(axis=1), minlength=5) / n_clips
    assert_allclose(widths, 1 / 5, atol=0.015)
    starts = masked[masked.sum(axis=1) == 2].argmax(axis=1)
    assert_allclose(np.bincount(starts) / len(starts), 1 / 9, atol=0.02)


@pytest.mark.parametrize("fill", ["mean", "min", "zero"])
def test_masks_are_filled_with_each_channels_own_value(fill, rng):
    values = rng.normal(5, 1, size=(3, 2, 6, 10)).astype(np.float32)
    lengths = torch.tensor([10, 4, 7])
    behind = np.arange(10) >= lengths.numpy()[:, None]
    values[np.broadcast_to(behind[:, None, None], values.shape)] = 0
    torch.manual_seed(1)
    masks = SpecAugment(max_time_fraction=0.5, max_freq_fraction=0.5, fill=fill)
    x = torch.from_numpy(values)
    found = mask_by_chance(x, lengths, masks).numpy()
    for row, length in enumerate(lengths.tolist()):
        for channel in range(2):
            sound = values[row, channel, :, :length]
            expected = {"mean": sound.mean(), "min": sound.min(), "zero": 0}[fill]
            changed = found[row, channel] != values[row, channel]
            assert changed.any()
            assert_allclose(found[row, channel][changed], expected, rtol=1e-5)


# -------------------------------------------------------------------------- mixing and softening


def batch_of(y, n_frames=5, lengths=None):
    """Clips that are all one number: their class."""
    y = torch.tensor(y)
    x = y.float()[:, None, None].expand(-1, 2, n_frames).clone()
    return Batch(x, None if lengths is None else torch.tensor(lengths)), y


@given(
    y=st.lists(st.integers(0, 1), min_size=1, max_size=12),
    mixup=st.floats(1e-6, 1e3),
    seed=st.integers(0, 10**6),
)
def test_clips_and_targets_are_mixed_in_the_same_shares(y, mixup, seed):
    batch, y = batch_of(y)
    torch.manual_seed(seed)
    mixed = no_chance(mixup=mixup)(batch, y, None, None)
    assert mixed.x.shape == (len(y), 2, 5)
    torch.testing.assert_close(mixed.x[:, 0, 0], mixed.target[:, 1])
    torch.testing.assert_close(mixed.target.sum(1), torch.ones(len(y)))
    assert ((mixed.target >= 0) & (mixed.target <= 1)).all()


def test_shares_of_mixing_follow_a_beta_distribution():
    shares = []
    torch.manual_seed(0)
    for _ in range(2000):
        batch, y = batch_of([0, 1])
        target = no_chance(mixup=0.3)(batch, y, None, None).target
        shares.append(float(target[0, 0]))
    shares = np.array([share for share in shares if share < 1])
    # Beta(a, a) has the variance 1 / (4 (2 a + 1)).
    assert_allclose(shares.mean(), 0.5, atol=0.03)
    assert_allclose(shares.var(), 1 / (4 * 1.6), rtol=0.1)


def test_a_mixture_is_as_long_as_the_longer_clip():
    lengths = torch.tensor([5, 2, 1, 4])
    for seed in range(10):
        # Each clip is told apart by a feature of its own.
        batch = Batch(torch.eye(4)[:, :, None].repeat(1, 1, 5), lengths.clone())
        torch.manual_seed(seed)
        mixed = no_chance(mixup=1.0)(batch, torch.tensor([0, 1, 1, 0]), None, None)
        expected = [int(lengths[clip[:, 0] > 0].max()) for clip in mixed.x]
        assert mixed.lengths.tolist() == expected


def test_targets_are_shares_softened_and_weighed():
    batch, y = batch_of([0, 1])
    found = no_chance(4)(batch, y, None, None).target
    assert found.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0]]
    found = no_chance(4, label_smoothing=0.4)(batch, y, None, None).target
    torch.testing.assert_close(found[1], torch.tensor([0.1, 0.7, 0.1, 0.1]))
    share = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.25, 0.75]])
    weight = torch.tensor([2.0, 0.5])
    found = no_chance(4)(batch, y, share, weight).target
    torch.testing.assert_close(found, share * weight[:, None])


@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40),
)
def test_balanced_accuracy_is_that_of_scikit_learn(pairs):
    true, found = map(np.array, zip(*pairs, strict=True))
    if len(set(true)) > 1 and set(found) <= set(true):
        assert balanced_accuracy(true, found) == pytest.approx(balanced_accuracy_score(true, found))
    # Its recall is that of the classes that occur, in any case.
    recalls = [(found[true == label] == label).mean() for label in np.unique(true)]
    assert balanced_accuracy(true, found) == pytest.approx(np.mean(recalls))


@pytest.mark.parametrize("read_only", [False, True])
def test_clips_that_lie_on_a_gpu_make_the_same_batches(monkeypatch, read_only):
    monkeypatch.setattr(_data, "fits_on_gpu", lambda n_bytes, device: True)
    monkeypatch.setattr(_data, "_STATISTICS_BYTES", 64)
    X, lengths = clips([3, 7, 5, 2, 7, 1, 4])
    X.flags.writeable = not read_only
    data = ClipDataset(X, lengths, np.zeros(7, dtype=np.int64))
    iterator = BatchIterator(data, preparation(np.ones(2), np.ones(2)), 3)
    before = list(iterator)
    data.move_to(torch.device("cpu"))
    assert data.resident is not None
    X.flags.writeable = True
    X[:] = 100.0  # is not looked at any more
    for (here, _), (there, _) in zip(before, iterator, strict=True):
        assert_array_equal(here.x, there.x)
        assert (here.lengths is None) == (there.lengths is None)


def test_clips_stay_where_they_are_on_a_processor():
    X, lengths = clips([3, 7])
    data = ClipDataset(X, lengths, np.zeros(2, dtype=np.int64))
    data.move_to(torch.device("cpu"))
    assert data.resident is None
