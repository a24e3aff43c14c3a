"""The torch modules: shapes, and the law that padding changes nothing."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sersk.neural_network._modules import Conformer, ConvNet, ConvRecurrentNet, RecurrentNet
from sersk.neural_network._modules._attention import SelfAttention
from sersk.neural_network._modules._conformer import _Subsampling
from sersk.neural_network._modules._convolution import ConvBlocks, same_convolution
from sersk.neural_network._modules._dense import DenseHead
from sersk.neural_network._modules._dropout import Dropout
from sersk.neural_network._modules._masking import (
    MaskedBatchNorm1d,
    MaskedBatchNorm2d,
    frame_mask,
    mask_frames,
    pooled_lengths,
)
from sersk.neural_network._modules._pooling import TimePooling
from sersk.neural_network._modules._recurrent import RecurrentLayers

N_CLASSES, N_BINS = 3, 7
LENGTHS = [12, 5, 1, 0, 9]
ACTIVATIONS = ("relu", "elu", "gelu", "silu", "leaky_relu")
# Sums over more zeros are added up in another order. A real fault is larger than 1e-3.
TOLERANCE = {torch.float32: 3e-6, torch.float64: 1e-10}

CONV = {
    "n_classes": N_CLASSES,
    "filters": (4, 5),
    "kernel_sizes": (3, 5),
    "pool_sizes": (2, 3),
    "convs_per_block": 2,
    "hidden_units": (6,),
    "batch_norm": True,
    "dropout": 0.0,
    "activation": "relu",
}
RECURRENT = {"cell": "gru", "hidden_sizes": (4, 4), "bidirectional": True}


def conv_net(**kwargs):
    two = {"n_dims": 2, "in_channels": 2, "n_bins": N_BINS, "pooling": "mean", "n_frames": None}
    return ConvNet(**{**CONV, **two, **kwargs})


def conv_net_1d(**kwargs):
    return conv_net(**{"n_dims": 1, "in_channels": N_BINS, "n_bins": None, **kwargs})


def recurrent_net(**kwargs):
    own = {"in_size": N_BINS, "pooling": "last", "batch_norm": True, "dropout": 0.0}
    own |= {"n_classes": N_CLASSES, "hidden_units": (6,), "activation": "relu"}
    return RecurrentNet(**{**RECURRENT, **own, **kwargs})


def crnn(**kwargs):
    own = {"in_channels": 2, "n_bins": N_BINS, "attention_heads": 2, "pooling": "mean"}
    return ConvRecurrentNet(**{**CONV, **RECURRENT, **own, **kwargs})


def conformer(**kwargs):
    own = {"in_channels": 2, "n_bins": N_BINS, "n_classes": N_CLASSES, "d_model": 8, "n_blocks": 2}
    own |= {"n_heads": 2, "feedforward_size": 12, "kernel_size": 5, "subsampling": 2}
    own |= {"pooling": "mean", "hidden_units": (6,), "dropout": 0.0}
    return Conformer(**{**own, **kwargs})


ANY_POOLING = ("mean", "max", "attention", "statistics")
NETS = [
    *[(conv_net, {"pooling": pooling}) for pooling in ANY_POOLING],
    (conv_net, {"pooling": "flatten", "n_frames": 10}),
    (conv_net, {"pooling": "flatten", "n_frames": 20, "batch_norm": False}),
    *[(conv_net, {"activation": activation}) for activation in ACTIVATIONS],
    (conv_net, {"batch_norm": False, "activation": "elu", "kernel_sizes": ((3, 2), 4)}),
    (conv_net, {"pool_sizes": ((2, 1), (9, 4)), "convs_per_block": 1}),
    *[(conv_net_1d, {"pooling": pooling, "activation": "silu"}) for pooling in ANY_POOLING],
    (conv_net_1d, {"pooling": "flatten", "n_frames": 10}),
    *[
        (recurrent_net, {"pooling": pooling, "cell": cell, "bidirectional": both})
        for pooling in ("last", *ANY_POOLING)
        for cell, both in (("gru", True), ("lstm", False))
    ],
    *[(crnn, {"pooling": pooling, "cell": "lstm"}) for pooling in ("last", *ANY_POOLING)],
    (crnn, {"attention_heads": 0, "pooling": "last", "bidirectional": False}),
    *[(conformer, {"pooling": pooling}) for pooling in ANY_POOLING],
    *[(conformer, {"subsampling": factor}) for factor in (1, 4)],
    (conformer, {"kernel_size": 4}),
]
ONE_OF_EACH = [(conv_net, {}), (conv_net_1d, {}), (recurrent_net, {}), (crnn, {}), (conformer, {})]


def name_of(net):
    make, settings = net
    return "-".join([make.__name__, *map(str, settings.values())])


def every(nets):
    return pytest.mark.parametrize("net", nets, ids=name_of)


def build(net):
    torch.manual_seed(0)
    make, settings = net
    module = make(**settings)
    for parameter in module.parameters():
        # As after training: a bias of zero leaves zeros behind the clips, masked or not, and equal
        # clips come out of batch norm as zeros but for rounding, where ReLU has a kink.
        if not parameter.any():
            nn.init.uniform_(parameter, 0.1, 1)
    for layer in module.modules():
        # The usual 1e-5 lets a norm whose clips are all equal make rounding 300 times larger.
        if hasattr(layer, "eps"):
            layer.eps = 0.1
    return module


def shape_for(module, n_clips, n_frames):
    is_image = isinstance(module, (Conformer, ConvRecurrentNet)) or (
        isinstance(module, ConvNet) and module.blocks.blocks[0].convs[0][-1].weight.ndim == 4
    )
    return (n_clips, 2, N_BINS, n_frames) if is_image else (n_clips, N_BINS, n_frames)


def clips_for(module, lengths=LENGTHS, n_frames=12, dtype=torch.float32, fill=torch.nan):
    """Noise with an offset, and something behind the end of each clip."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(*shape_for(module, len(lengths), max(LENGTHS)), generator=generator) + 0.5
    x = nn.functional.pad(x[..., :n_frames], (0, max(n_frames - max(LENGTHS), 0)))
    lengths = torch.tensor(lengths)
    return mask_frames(x, lengths, fill).to(dtype), lengths


def learn(module, x, lengths):
    """Logits, gradients and state of a copy after one step of training."""
    module = copy.deepcopy(module).train()
    x = x.clone().requires_grad_()
    logits = module(x, lengths)
    weights = torch.arange(logits.numel(), dtype=logits.dtype).cos().view_as(logits)
    (logits * weights).sum().backward()
    gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    return logits.detach(), gradients, dict(module.named_buffers()), x.grad


def assert_close(actual, desired, atol):
    torch.testing.assert_close(actual, desired, rtol=atol, atol=atol)


def learning_error(actual, desired):
    """The largest difference of two steps, gradients in units of the largest of their tensor."""
    assert actual[1].keys() == desired[1].keys()
    assert len(actual[1]) > 4
    x_gradient = actual[3][..., : desired[3].shape[-1]]
    pairs = [(actual[0], desired[0], 1.0), (x_gradient, desired[3], 1.0)]
    for part in (1, 2):
        for name, values in desired[part].items():
            pairs.append((actual[part][name], values, max(float(values.abs().max()), 1.0)))
    differences = [
        float((one.double() - other).abs().max()) / scale
        for one, other, scale in pairs
        if other.numel()  # clips of no frames have no gradient
    ]
    assert np.isfinite(differences).all()
    return max(differences)


def assert_same_learning(actual, desired, dtype=torch.float64):
    assert learning_error(actual, desired) <= TOLERANCE[dtype]


@every(NETS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_padding_changes_nothing_in_training(net, dtype):
    module = build(net)
    x, lengths = clips_for(module, fill=0.0)
    exact = learn(copy.deepcopy(module).double(), x.double(), lengths)
    module = module.to(dtype)
    for n_frames, fill in ((12, torch.nan), (13, torch.nan), (40, torch.inf), (40, -1e30)):
        actual = learn(module, *clips_for(module, n_frames=n_frames, dtype=dtype, fill=fill))
        assert_same_learning(actual, exact, dtype)
        assert not actual[3][..., 12:].any()
        for row, length in enumerate(LENGTHS):
            assert not actual[3][row, ..., length:].any()


@every(NETS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_one_by_one_equals_a_batch(net, dtype):
    module = build(net).to(dtype)
    learn(module, *clips_for(module, dtype=dtype))
    module.eval()
    x, lengths = clips_for(module, n_frames=33, dtype=dtype)
    together = module(x, lengths)
    assert together.shape == (len(LENGTHS), N_CLASSES)
    assert torch.isfinite(together).all()
    for row, length in enumerate(LENGTHS):
        alone = x[row : row + 1, ..., :length]
        assert_close(module(alone)[0], together[row], TOLERANCE[dtype])
        assert_close(module(alone, lengths[row : row + 1])[0], together[row], TOLERANCE[dtype])
    silent = module(torch.zeros_like(x[3:4, ..., :1]))
    assert_close(silent[0], together[3], TOLERANCE[dtype])


@every(ONE_OF_EACH)
def test_trimming_in_training(net):
    """A batch of clips of equal length, with and without padding behind all of them."""
    module = build(net).double()
    x, lengths = clips_for(module, lengths=[6, 6, 6], n_frames=11, dtype=torch.float64)
    desired = learn(module, x[..., :6], None)
    assert_same_learning(learn(module, x[..., :6], lengths), desired)
    assert_same_learning(learn(module, x, lengths), desired)


@every(NETS)
@pytest.mark.parametrize("lengths", [[0, 0], [1], [1, 1], [0, 2]], ids=str)
def test_next_to_nothing(net, lengths):
    module = build(net)
    for n_frames in (max(lengths), 5):
        x, sizes = clips_for(module, lengths=lengths, n_frames=n_frames)
        logits, gradients, buffers, _ = learn(module, x, sizes)
        assert logits.shape == (len(lengths), N_CLASSES)
        for value in (logits, *gradients.values(), *buffers.values()):
            assert torch.isfinite(value).all()


@every(ONE_OF_EACH)
@settings(max_examples=15)
@given(lengths=st.lists(st.integers(0, 12), min_size=2, max_size=4), more=st.integers(0, 7))
def test_padding_law_for_any_lengths(net, lengths, more):
    module = build(net).double()
    n_frames = max(lengths)
    x, sizes = clips_for(module, lengths=lengths, n_frames=n_frames + more, dtype=torch.float64)
    desired = learn(module, x[..., :n_frames], sizes)
    assert_same_learning(learn(module, x, sizes), desired)


@every([*ONE_OF_EACH, (crnn, {"cell": "lstm", "pooling": "statistics"})])
@pytest.mark.parametrize("padded", [False, True])
def test_bfloat16(net, padded):
    module = build(net)
    x, lengths = clips_for(module)
    x = x.nan_to_num()
    if x.ndim == 4:
        module.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    lengths = lengths if padded else None
    single = module.eval()(x, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_close(module(x, lengths).float(), single, 0.05)
        logits, gradients, buffers, _ = learn(module, x, lengths)
    for value in (logits, *gradients.values(), *buffers.values()):
        assert torch.isfinite(value).all()
    assert {value.dtype for value in gradients.values()} == {torch.float32}


@every(ONE_OF_EACH)
def test_state_dict_round_trip(net):
    module = build(net)
    x, lengths = clips_for(module)
    module(x, lengths)
    other = build(net)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict(module.state_dict())
    assert torch.equal(other.eval()(x, lengths), module.eval()(x, lengths))


@every(ONE_OF_EACH)
# Of torch about its own recurrent layers.
@pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning")
def test_export(net):
    module = build(net).eval()
    x, lengths = clips_for(module, n_frames=16)
    exported = torch.export.export(module, (x, lengths)).module()
    assert_close(exported(x, lengths), module(x, lengths), 1e-6)
    fewer = lengths.clamp(max=4)
    assert_close(exported(x, fewer), module(x, fewer), 1e-6)


@every([(conv_net, {}), (conv_net_1d, {}), (conformer, {})])
def test_one_graph_for_the_compiler(net):
    """No step of training looks at the lengths; torch does not compile recurrent layers."""
    module = build(net)
    x, lengths = clips_for(module, n_frames=14)
    desired, _, buffers, _ = learn(module, x, lengths)
    compiled = torch.compile(module.train(), backend="eager", fullgraph=True)
    assert_close(compiled(x, lengths), desired, 1e-6)
    for name, value in module.named_buffers():
        assert_close(value, buffers[name], 1e-6)


def test_unknown_words_and_numbers():
    with pytest.raises(ValueError, match="3 attention heads do not divide the 8 features"):
        crnn(attention_heads=3)
    with pytest.raises(ValueError, match="3 attention heads do not divide the 8 features"):
        conformer(n_heads=3)
    with pytest.raises(ValueError, match="subsampling=3"):
        conformer(subsampling=3)
    with pytest.raises(ValueError, match="kernel_sizes has 1 entries and filters 2"):
        conv_net(kernel_sizes=(3,))
    with pytest.raises(ValueError, match="needs n_frames"):
        conv_net(pooling="flatten")
    with pytest.raises(ValueError, match="recurrent layers only"):
        conv_net(pooling="last")
    with pytest.raises(ValueError, match="pooling='median'"):
        conv_net(pooling="median")
    with pytest.raises(ValueError, match="cell='rnn'"):
        recurrent_net(cell="rnn")
    with pytest.raises(ValueError, match="activation='tanh'"):
        recurrent_net(activation="tanh")
    with pytest.raises(ValueError, match="n_bins"):
        conv_net(n_bins=None)
    with pytest.raises(ValueError, match="does not fit 1 dimension"):
        conv_net_1d(pool_sizes=((2, 2), 2))


# --------------------------------------------------------------------------------------------------
# Masks


def test_masks():
    lengths = torch.tensor([0, 2, 3])
    mask = frame_mask(lengths, 3)
    assert mask.tolist() == [[False] * 3, [True, True, False], [True] * 3]
    for shape in ((3, 3), (3, 4, 3), (3, 4, 5, 3)):
        masked = mask_frames(torch.full(shape, torch.nan), lengths)
        assert masked[0].count_nonzero() == 0
        assert masked[1, ..., :2].isnan().all()
        assert masked[2].isnan().all()
    x = torch.zeros(2, 3)
    assert mask_frames(x, None) is x
    image = torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last)
    masked = mask_frames(image, torch.tensor([1, 2]))
    assert masked.is_contiguous(memory_format=torch.channels_last)


@given(n_frames=st.integers(1, 20), size=st.integers(1, 6))
def test_pooled_lengths_are_those_of_max_pool(n_frames, size):
    pooled = nn.functional.max_pool1d(torch.zeros(1, 1, n_frames), size, ceil_mode=True)
    assert pooled_lengths(torch.tensor([n_frames]), size).tolist() == [pooled.shape[-1]]
    assert pooled_lengths(None, size) is None


# --------------------------------------------------------------------------------------------------
# Batch norm


def norm_case(n_dims, channels_last, dtype=torch.float64):
    shape = (4, 3, 5, 8) if n_dims == 2 else (4, 3, 8)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype) * 2 + 5
    if channels_last:
        x = x.movedim(1, -1).contiguous().movedim(-1, 1)
    native = (nn.BatchNorm2d if n_dims == 2 else nn.BatchNorm1d)(3).to(dtype)
    masked = (MaskedBatchNorm2d if n_dims == 2 else MaskedBatchNorm1d)(3).to(dtype)
    with torch.no_grad():
        native.weight.uniform_(0.5, 2)
        native.bias.uniform_(-1, 1)
    masked.load_state_dict(native.state_dict())
    return x, native, masked


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("n_dims", [1, 2])
@pytest.mark.parametrize("method", ["joined", "mask"])
def test_batch_norm_is_torch_s_of_the_valid_frames(n_dims, channels_last, method):
    x, native, masked = norm_case(n_dims, channels_last)
    lengths = torch.tensor([8, 1, 5, 3])
    masked_forward = masked._over_mask if method == "mask" else masked
    padded = mask_frames(x, lengths, torch.nan).requires_grad_()
    actual = masked_forward(padded, lengths)
    joined = torch.cat([c[..., :n] for c, n in zip(x, lengths, strict=True)], -1)[None]
    joined = joined.contiguous().requires_grad_()
    desired = native(joined)
    weights = torch.randn(joined.shape, generator=torch.Generator().manual_seed(1)).double()
    (desired * weights).sum().backward()
    split = torch.split(weights[0], lengths.tolist(), -1)
    rows = zip(split, actual, lengths, strict=True)
    sum(((w * row[..., :n]).sum() for w, row, n in rows), torch.zeros(())).backward()
    for tensor, flat in ((actual, desired), (padded.grad, joined.grad)):
        pieces = torch.split(flat[0], lengths.tolist(), -1)
        for row, piece, length in zip(tensor, pieces, lengths, strict=True):
            assert_close(row[..., :length], piece, 1e-12)
            assert not row[..., length:].any()
    assert_close(masked.weight.grad, native.weight.grad, 1e-12)
    assert_close(masked.bias.grad, native.bias.grad, 1e-12)
    for name, value in native.named_buffers():
        assert_close(masked.get_buffer(name), value, 1e-12)
    if n_dims == 2:
        assert actual.stride() == x.stride()


@pytest.mark.parametrize("lengths", [None, [8, 8, 8, 8]])
@pytest.mark.parametrize("n_dims", [1, 2])
def test_batch_norm_without_padding_is_torch_s_own(n_dims, lengths):
    x, native, masked = norm_case(n_dims, channels_last=False, dtype=torch.float32)
    lengths = None if lengths is None else torch.tensor(lengths)
    for _ in range(2):
        assert torch.equal(masked(x, lengths), native(x))
        assert masked.state_dict().keys() == native.state_dict().keys()
        for name, value in native.state_dict().items():
            assert torch.equal(masked.state_dict()[name], value)
        masked.eval(), native.eval()


@pytest.mark.parametrize("method", ["joined", "mask"])
def test_batch_norm_in_half_precision_counts_in_single(method):
    x, native, masked = norm_case(2, channels_last=True, dtype=torch.float32)
    x, lengths = x.bfloat16(), torch.tensor([8, 1, 5, 3])
    actual = (masked._over_mask if method == "mask" else masked)(x, lengths)
    assert actual.dtype == torch.bfloat16
    native(torch.cat([c[..., :n] for c, n in zip(x.float(), lengths, strict=True)], -1)[None])
    assert_close(masked.running_mean, native.running_mean, 1e-6)
    assert_close(masked.running_var, native.running_var, 1e-6)


@pytest.mark.parametrize("method", ["joined", "mask"])
def test_batch_norm_of_one_value(method):
    x, _, masked = norm_case(1, channels_last=False)
    masked.running_mean += 5
    before = copy.deepcopy(masked.state_dict())
    lengths = torch.tensor([1])
    forward = masked._over_mask if method == "mask" else masked
    actual = forward(x[:1], lengths)
    for name, value in before.items():
        assert torch.equal(masked.state_dict()[name], value)
    desired = masked.eval()(x[:1, :, :1])
    assert_close(actual[..., :1], desired, 1e-12)
    assert not actual[..., 1:].any()


# --------------------------------------------------------------------------------------------------
# Layers


@pytest.mark.parametrize("batch_norm", [False, True])
def test_dense_head_of_one_clip(batch_norm):
    options = {"hidden_units": (4,), "dropout": 0.0, "activation": "relu"}
    head = DenseHead(in_size=3, n_classes=2, batch_norm=batch_norm, **options)
    head(torch.randn(1, 3)).sum().backward()
    assert DenseHead(
        in_size=3, n_classes=2, batch_norm=batch_norm, **{**options, "hidden_units": ()}
    )(torch.zeros(5, 3)).shape == (5, 2)


@given(
    filters=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    pool=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    n_frames=st.integers(1, 15),
    n_bins=st.integers(1, 9),
    activation=st.sampled_from(ACTIVATIONS),
)
def test_shapes_of_blocks(filters, kernel, pool, n_frames, n_bins, activation):
    n_blocks = len(filters)
    blocks = ConvBlocks(
        n_dims=2,
        in_channels=1,
        filters=filters,
        kernel_sizes=[kernel] * n_blocks,
        pool_sizes=[pool] * n_blocks,
        n_bins=n_bins,
        activation=activation,
    )
    x, lengths = blocks(torch.ones(2, 1, n_bins, n_frames), torch.tensor([n_frames, 1]))
    expected = (2, blocks.out_channels, blocks.out_bins, blocks.n_frames_out(n_frames))
    assert x.shape == expected
    assert lengths.tolist() == [expected[-1], 1]
    assert not x[1, ..., 1:].any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_blocks_equal_torch_s_layers(activation, batch_norm):
    torch.manual_seed(0)
    sizes = {"filters": (4,), "kernel_sizes": ((3, 5),), "pool_sizes": ((2, 3),), "n_bins": 7}
    options = {"activation": activation, "batch_norm": batch_norm}
    blocks = ConvBlocks(n_dims=2, in_channels=2, **sizes, **options)
    x = torch.randn(3, 2, 7, 11).to(memory_format=torch.channels_last)
    actual, _ = blocks(x)
    y = nn.functional.conv2d(x, *blocks.blocks[0].convs[0][0].parameters(), padding=(1, 2))
    y = nn.functional.batch_norm(y, None, None, training=True) if batch_norm else y
    y = getattr(nn.functional, activation)(y)
    desired = nn.functional.max_pool2d(y, (2, 3), ceil_mode=True)
    assert_close(actual, desired, 1e-6)
    assert actual.is_contiguous(memory_format=torch.channels_last)
    assert blocks(x, torch.tensor([11, 3, 5]))[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@given(kernel=st.tuples(st.integers(1, 6), st.integers(1, 6)))
def test_same_convolution_is_torch_s(kernel):
    conv = same_convolution(2, 3, kernel)
    x = torch.randn(2, 2, 5, 6, generator=torch.Generator().manual_seed(0))
    weight, bias = conv[-1].weight, conv[-1].bias
    assert_close(conv(x), nn.functional.conv2d(x, weight, bias, padding="same"), 1e-6)


def test_deep_nets_without_batch_norm_keep_their_signal():
    torch.manual_seed(0)
    shape = {"filters": (16,) * 6, "kernel_sizes": (3,) * 6, "pool_sizes": (1,) * 6}
    blocks = ConvBlocks(n_dims=2, in_channels=1, n_bins=16, batch_norm=False, **shape)
    out, _ = blocks(torch.randn(8, 1, 16, 16))
    assert 0.2 < out.std() < 5


def both_ways(cell, in_size=3, hidden_size=4):
    """Our bidirectional layer, and torch's own with the same weights."""
    torch.manual_seed(0)
    options = {"bidirectional": True, "batch_norm": False, "dropout": 0.0}
    ours = RecurrentLayers(cell=cell, in_size=in_size, hidden_sizes=(hidden_size,), **options)
    own = {"gru": nn.GRU, "lstm": nn.LSTM}[cell](in_size, hidden_size, bidirectional=True)
    layer = ours.layers[0]
    state = dict(layer.forwards.state_dict())
    state |= {f"{name}_reverse": w for name, w in layer.backwards.state_dict().items()}
    own.load_state_dict(state)
    return ours, own


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_bidirectional_layers_are_torch_s(cell):
    ours, own = both_ways(cell)
    x = torch.randn(4, 3, 9)
    desired = own(x.permute(2, 0, 1))[0].permute(1, 2, 0)
    assert_close(ours(x), desired, 1e-6)
    assert_close(ours(x, torch.full((4,), 9)), desired, 1e-6)
    lengths = torch.tensor([9, 4, 1, 7])
    packed = pack_padded_sequence(x.permute(2, 0, 1), lengths, enforce_sorted=False)
    desired, _ = pad_packed_sequence(own(packed)[0])
    actual = ours(mask_frames(x, lengths), lengths)
    assert_close(actual, desired.permute(1, 2, 0), 1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_last_pooling_is_the_last_state(cell):
    ours, own = both_ways(cell)
    x, lengths = torch.randn(4, 3, 9), torch.tensor([9, 4, 1, 7])
    packed = pack_padded_sequence(x.permute(2, 0, 1), lengths, enforce_sorted=False)
    states = own(packed)[1]
    states = states[0] if cell == "lstm" else states
    pooling = TimePooling("last", 8, bidirectional=True)
    actual = pooling(ours(mask_frames(x, lengths), lengths), lengths)
    assert_close(actual, torch.cat([states[0], states[1]], 1), 1e-6)
    one_way = TimePooling("last", 8, bidirectional=False)
    assert torch.equal(one_way(x), x[..., -1])


def test_attention_equals_torch_s():
    torch.manual_seed(0)
    ours = SelfAttention(6, n_heads=2, dropout=0.0)
    own = nn.MultiheadAttention(6, 2, batch_first=True)
    own.load_state_dict(
        {
            "in_proj_weight": ours.project.weight,
            "in_proj_bias": ours.project.bias,
            "out_proj.weight": ours.join.weight,
            "out_proj.bias": ours.join.bias,
        }
    )
    x, lengths = torch.randn(3, 5, 6), torch.tensor([5, 1, 3])
    mask = ~frame_mask(lengths, 5)
    assert_close(ours(x), own(x, x, x, need_weights=False)[0], 1e-6)
    desired = own(x, x, x, key_padding_mask=mask, need_weights=False)[0]
    assert_close(ours(x, lengths), desired, 1e-6)


@pytest.mark.parametrize("kind", ["mean", "max", "attention", "statistics"])
def test_pooling_equals_numpy(kind):
    torch.manual_seed(0)
    pooling = TimePooling(kind, 4)
    x, lengths = torch.randn(3, 4, 6), torch.tensor([6, 1, 4])
    actual = pooling(mask_frames(x, lengths, torch.nan), lengths).detach().numpy()
    assert actual.shape == (3, pooling.out_size)
    for row, clip, length in zip(actual, x.numpy(), lengths.tolist(), strict=True):
        clip = clip[:, :length]
        if kind in ("mean", "max"):
            desired = getattr(np, kind)(clip, axis=1)
        else:
            weights = pooling.weights(torch.from_numpy(clip)[None])[0].detach().numpy()
            assert weights.sum() == pytest.approx(1)
            desired = (weights * clip).sum(1)
        if kind == "statistics":
            variance = (weights * (clip - desired[:, np.newaxis]) ** 2).sum(1)
            desired = np.concatenate([desired, np.sqrt(variance.clip(1e-6))])
        np.testing.assert_allclose(row, desired, atol=1e-6)


@pytest.mark.parametrize("pooling", ["attention", "statistics"])
def test_attention_weights_of_a_net(pooling):
    module = crnn(pooling=pooling).eval()
    x, lengths = clips_for(module)
    weights, left = module.attention_weights(x, lengths)
    assert left.tolist() == [2, 1, 1, 1, 2]
    assert_close(weights.sum(1), torch.ones(len(LENGTHS)), 1e-6)
    assert (weights > 0).tolist() == frame_mask(left, 2).tolist()
    with pytest.raises(ValueError, match="weighs no frames"):
        crnn(pooling="mean").attention_weights(x, lengths)


def test_gradient_of_statistics_is_finite_for_constant_frames():
    pooling = TimePooling("statistics", 2)
    x = torch.ones(2, 2, 5, requires_grad=True)
    pooling(x).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_flatten_cuts_and_fills():
    module = conv_net(pooling="flatten", n_frames=8).eval()
    x, _ = clips_for(module, lengths=[12, 12])
    assert torch.equal(module(x), module(x[..., :8]))
    lengths = torch.tensor([5, 12])
    short = module(x[:1, ..., :5])
    assert_close(module(x, lengths)[:1], short, 1e-6)
    ignored = conv_net(pooling="mean", n_frames=8).eval()
    assert not torch.equal(ignored(x), ignored(x[..., :8]))


@pytest.mark.parametrize("n_frames", [1, 2, 3, 5, 8])
def test_subsampling_of_a_few_frames_in_bfloat16(n_frames):
    """A processor's convolutions of stride 2 go wrong where one frame is left (torch 2.13)."""
    torch.manual_seed(0)
    module = _Subsampling(in_channels=1, n_bins=64, channels=16, factor=4)
    x = torch.randn(20, 1, 64, n_frames)
    expected, _ = module(x, None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = module(x, None)
    assert found.shape == expected.shape == (20, 256, -(-n_frames // 4))
    assert (found.float() - expected).abs().max() < 0.05


# ------------------------------------------------------------------------------------- dropout


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_dropout_is_that_of_torch(dtype, p, memory_format):
    torch.manual_seed(0)
    x = torch.ones(8, 16, 21, 31, dtype=dtype).contiguous(memory_format=memory_format)
    x.requires_grad_()
    dropped = Dropout(p)(x)
    assert dropped.dtype == dtype
    assert dropped.is_contiguous(memory_format=memory_format)
    expected = nn.Dropout(p)(x)
    assert set(dropped.unique().tolist()) == set(expected.unique().tolist())
    n = x.numel()
    zeros = int((dropped == 0).sum())
    assert abs(zeros - n * p) < 5 * np.sqrt(n * p * (1 - p))
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped.detach())
    # In every channel and at every place alike.
    shares = (dropped == 0).double().mean(dim=(0, 2, 3))
    assert (shares - p).abs().max() < 5 * np.sqrt(p * (1 - p) * 16 / n)


def test_dropout_draws_anew_from_the_seed_of_torch():
    x = torch.ones(5, 7)
    drop = Dropout(0.5)
    torch.manual_seed(1)
    first, second = drop(x), drop(x)
    torch.manual_seed(1)
    assert torch.equal(first, drop(x))
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("p", "training", "x"),
    [
        (0.5, False, torch.ones(4, 4)),
        (0.0, True, torch.ones(4, 4)),
        (0.5, True, torch.ones(0, 4)),
        (0.5, True, torch.ones(8, 8, 8)[:, ::2]),
        (1.0, True, torch.ones(4, 4)),
    ],
)
def test_dropout_where_there_is_little_to_draw(p, training, x):
    torch.manual_seed(0)
    dropped = Dropout(p).train(training)(x)
    torch.manual_seed(0)
    assert torch.equal(dropped, nn.Dropout(p).train(training)(x))
