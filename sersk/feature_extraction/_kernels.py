"""The compiled path: the short-time spectrum and what is taken from it, eight frames at a time.

All kernels work on `LANES` neighbouring frames in parallel: one number of each of the eight frames
stands side by side in memory, so every line of arithmetic is one vector instruction and no pass
over the data needs a transposition. A spectrum is laid out as ``(group of frames, bin, lane)``; a
stretch of groups stays in the processor's cache from the Fourier transform to the last feature.

numba cannot be told to vectorise; whether LLVM finds out by itself changes with every version. So
the vectors are written out: `Lanes` is a small numba type over LLVM's own vectors with ``+ - * /``
and the few functions below it. LLVM maps it to whatever the processor has.

Kernels take arrays that the callers made, contiguous and of one precision, and are compiled for
both. They see no padding and no NaN. What each must equal stands in `_stages.ScipyStages`.

All is in one file because numba keeps compiled kernels on disk, and notices a change in the file of
a kernel, not one in what the kernel takes from another file.
"""

# This is numba's language, which has types of its own.
# mypy: ignore-errors

from __future__ import annotations

import math
import operator
import re

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

from .._utils._compile import compiled

LANES = 8

# --- Vectors -------------------------------------------------------------------------------------


class Lanes(types.Type):
    """One number of each of `LANES` frames."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        scalar = ir.FloatType() if fe_type.dtype == types.float32 else ir.DoubleType()
        super().__init__(dmm, fe_type, ir.VectorType(scalar, LANES))


_BOTH = (Lanes(types.float32), Lanes(types.float64))


def _define_operator(function, instruction):
    class Template(ConcreteTemplate):
        cases = [signature(lanes, lanes, lanes) for lanes in _BOTH]

    infer_global(function)(Template)
    for lanes in _BOTH:

        @lower_builtin(function, lanes, lanes)
        def lower(context, builder, sig, args):
            return getattr(builder, instruction)(*args)


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")
_define_operator(operator.truediv, "fdiv")


def _element(context, builder, array_type, array, index):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _as_lanes(context, builder, array_type, pointer):
    return builder.bitcast(pointer, context.get_value_type(Lanes(array_type.dtype)).as_pointer())


def _position(index):
    return ir.Constant(ir.IntType(32), index)


@intrinsic
def load(typingctx, array, index):
    """Read lanes from a contiguous array, from element `index` on as if it were 1-D."""

    def codegen(context, builder, sig, args):
        pointer = _element(context, builder, sig.args[0], *args)
        pointer = _as_lanes(context, builder, sig.args[0], pointer)
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return Lanes(array.dtype)(array, types.intp), codegen


@intrinsic
def load_as(typingctx, array, index, like):
    """Read lanes as `load` does, in the precision of `like`, which is at least the array's."""

    def codegen(context, builder, sig, args):
        pointer = _element(context, builder, sig.args[0], *args[:2])
        pointer = _as_lanes(context, builder, sig.args[0], pointer)
        lanes = builder.load(pointer, align=array.dtype.bitwidth // 8)
        return _widened(context, builder, lanes, sig.return_type)

    return Lanes(like.dtype)(array, types.intp, like), codegen


def _widened(context, builder, lanes, lanes_type):
    wanted = context.get_value_type(lanes_type)
    return lanes if lanes.type == wanted else builder.fpext(lanes, wanted)


@intrinsic
def zeros_like(typingctx, array):
    """Give lanes of zeros in the precision of an array."""

    def codegen(context, builder, sig, args):
        return ir.Constant(context.get_value_type(sig.return_type), [0.0] * LANES)

    return Lanes(array.dtype)(array), codegen


@intrinsic
def store(typingctx, array, index, lanes):
    """Write lanes where `load` would read them."""

    def codegen(context, builder, sig, args):
        pointer = _element(context, builder, sig.args[0], args[0], args[1])
        pointer = _as_lanes(context, builder, sig.args[0], pointer)
        builder.store(args[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), codegen


@intrinsic
def load_across(typingctx, array, index, stride, like):
    """Read `LANES` runs of `LANES` elements, `stride` apart; give their first ones, second ones ...

    They come in the precision of `like`. It is a transposition in registers: two numbers are
    exchanged between neighbouring rows, then pairs, then fours.
    """
    lanes = Lanes(like.dtype)

    def codegen(context, builder, sig, args):
        rows = []
        index = args[1]
        for _ in range(LANES):
            pointer = _element(context, builder, sig.args[0], args[0], index)
            pointer = _as_lanes(context, builder, sig.args[0], pointer)
            rows.append(builder.load(pointer, align=array.dtype.bitwidth // 8))
            index = builder.add(index, args[2])
        size = 1
        while size < LANES:
            # Places 0 to LANES - 1 are those of the first row, then come those of the second.
            kept = [i if not i & size else i - size + LANES for i in range(LANES)]
            moved = [i + size if not i & size else i + LANES for i in range(LANES)]
            for i in range(LANES):
                if not i & size:
                    first, second = rows[i], rows[i + size]
                    rows[i] = builder.shuffle_vector(first, second, _places(kept))
                    rows[i + size] = builder.shuffle_vector(first, second, _places(moved))
            size *= 2
        rows = [_widened(context, builder, row, lanes) for row in rows]
        return context.make_tuple(builder, sig.return_type, rows)

    return types.UniTuple(lanes, LANES)(array, types.intp, types.intp, like), codegen


def _places(places):
    return ir.Constant(ir.VectorType(ir.IntType(32), LANES), places)


@intrinsic
def splat(typingctx, number):
    """Put one number in all lanes."""

    def codegen(context, builder, sig, args):
        lanes = ir.Constant(context.get_value_type(sig.return_type), ir.Undefined)
        lanes = builder.insert_element(lanes, args[0], _position(0))
        return builder.shuffle_vector(lanes, lanes, _places([0] * LANES))

    return Lanes(number)(number), codegen


@intrinsic
def splat_like(typingctx, number, like):
    """Put one number in all lanes, in the precision of other lanes."""

    def codegen(context, builder, sig, args):
        number = context.cast(builder, args[0], sig.args[0], like.dtype)
        lanes = ir.Constant(context.get_value_type(like), ir.Undefined)
        lanes = builder.insert_element(lanes, number, _position(0))
        return builder.shuffle_vector(lanes, lanes, _places([0] * LANES))

    return like(number, like), codegen


def _llvm_function(builder, name, lanes_type, value_type, n_arguments):
    kind = "f32" if lanes_type.dtype == types.float32 else "f64"
    function_type = ir.FunctionType(value_type, [value_type] * n_arguments)
    return cgutils.get_or_insert_function(
        builder.module, function_type, f"llvm.{name}.v{LANES}{kind}"
    )


@intrinsic
def muladd(typingctx, a, b, c):
    """Compute ``a * b + c``, rounded once where the processor can."""

    def codegen(context, builder, sig, args):
        function = _llvm_function(builder, "fmuladd", a, args[0].type, 3)
        return builder.call(function, args)

    return a(a, b, c), codegen


@intrinsic
def mulsub(typingctx, a, b, c):
    """Compute ``a * b - c``, rounded once where the processor can."""

    def codegen(context, builder, sig, args):
        function = _llvm_function(builder, "fmuladd", a, args[0].type, 3)
        return builder.call(function, [args[0], args[1], builder.fneg(args[2])])

    return a(a, b, c), codegen


@intrinsic
def square_root(typingctx, a):
    def codegen(context, builder, sig, args):
        return builder.call(_llvm_function(builder, "sqrt", a, args[0].type, 1), args)

    return a(a), codegen


@intrinsic
def larger(typingctx, a, b):
    def codegen(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return a(a, b), codegen


@intrinsic
def one_where_below(typingctx, a, b):
    """Give 1 in lanes where ``a < b``, else 0."""

    def codegen(context, builder, sig, args):
        lanes = context.get_value_type(sig.return_type)
        one, zero = (ir.Constant(lanes, [value] * LANES) for value in (1.0, 0.0))
        return builder.select(builder.fcmp_ordered("<", *args), one, zero)

    return a(a, b), codegen


@intrinsic
def one_where_one_is_below(typingctx, a, b, floor):
    """Give 1 in lanes where either `a` or `b` is below `floor` and the other is not, else 0."""

    def codegen(context, builder, sig, args):
        a, b, floor = args
        differ = builder.xor(
            builder.fcmp_ordered("<", a, floor), builder.fcmp_ordered("<", b, floor)
        )
        lanes = context.get_value_type(sig.return_type)
        one, zero = (ir.Constant(lanes, [value] * LANES) for value in (1.0, 0.0))
        return builder.select(differ, one, zero)

    return a(a, b, floor), codegen


@intrinsic
def sum_of(typingctx, lanes):
    """Add the lanes up."""

    def codegen(context, builder, sig, args):
        total = args[0]
        size = LANES // 2
        while size:
            folded = [(i + size) % LANES for i in range(LANES)]
            total = builder.fadd(total, builder.shuffle_vector(total, total, _places(folded)))
            size //= 2
        return builder.extract_element(total, _position(0))

    return lanes.dtype(lanes), codegen


@intrinsic
def highest_of(typingctx, lanes):
    """Give the largest of the lanes."""

    def codegen(context, builder, sig, args):
        top = args[0]
        size = LANES // 2
        while size:
            moved = [(i + size) % LANES for i in range(LANES)]
            other = builder.shuffle_vector(top, top, _places(moved))
            top = builder.select(builder.fcmp_ordered(">", other, top), other, top)
            size //= 2
        return builder.extract_element(top, _position(0))

    return lanes.dtype(lanes), codegen


@intrinsic
def peaks_among(typingctx, below, here, above, floor):
    """Give an integer whose bit l is set where lane l of `here` is a peak higher than `floor`."""

    def codegen(context, builder, sig, args):
        below, here, above, floor = args
        peaks = builder.and_(
            builder.fcmp_ordered(">", here, below), builder.fcmp_ordered(">=", here, above)
        )
        peaks = builder.and_(peaks, builder.fcmp_ordered(">", here, floor))
        bits = builder.bitcast(peaks, ir.IntType(LANES))
        return builder.zext(bits, context.get_value_type(types.intp))

    return types.intp(below, here, above, floor), codegen


@intrinsic
def lowest_bit(typingctx, bits):
    """Give the place of the lowest bit that is set; there must be one."""

    def codegen(context, builder, sig, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return bits(bits), codegen


# Of each type: the integer's width, the mantissa's bits, the exponent's offset. ``magic`` are the
# bits of 2 ** mantissa: put over a small integer, they make it that number plus 2 ** mantissa.
_FORMATS = {types.float32: (32, 23, 127, 0x4B000000), types.float64: (64, 52, 1023, 0x4330 << 48)}


@intrinsic
def exponent(typingctx, a):
    """Give the whole part of the binary logarithm of positive, normal numbers."""

    def codegen(context, builder, sig, args):
        width, mantissa, offset, magic = _FORMATS[a.dtype]
        integers = ir.VectorType(ir.IntType(width), LANES)

        def constant(value):
            return ir.Constant(integers, [value] * LANES)

        bits = builder.lshr(builder.bitcast(args[0], integers), constant(mantissa))
        number = builder.bitcast(builder.or_(bits, constant(magic)), args[0].type)
        return builder.fsub(
            number, ir.Constant(args[0].type, [float(2**mantissa + offset)] * LANES)
        )

    return a(a), codegen


@intrinsic
def mantissa(typingctx, a):
    """Give positive, normal numbers divided by 2 to their `exponent`: from 1 to below 2."""

    def codegen(context, builder, sig, args):
        width, mantissa, offset, _ = _FORMATS[a.dtype]
        integers = ir.VectorType(ir.IntType(width), LANES)

        def constant(value):
            return ir.Constant(integers, [value] * LANES)

        bits = builder.bitcast(args[0], integers)
        bits = builder.and_(bits, constant(2**mantissa - 1))
        return builder.bitcast(builder.or_(bits, constant(offset << mantissa)), args[0].type)

    return a(a), codegen


def _precisions(signature):
    """Write out a signature in which S is the precision of samples, T that of arithmetic."""
    kinds = [("float32", "float32"), ("float32", "float64"), ("float64", "float64")]
    written = [re.sub(r"\bT\b", t, re.sub(r"\bS\b", s, signature)) for s, t in kinds]
    return list(dict.fromkeys(written))


# --- The Fourier transform -----------------------------------------------------------------------
#
# A real transform of length 2 n is a complex one of length n over the even samples (real part) and
# the odd ones (imaginary part), taken apart afterwards. The complex one decimates in frequency, in
# place: after a pass of radix r, r independent transforms of length n / r lie one behind the other.
# Each of those is finished before the next begins, so all but the first pass find their data in the
# innermost cache. Frequencies end up in digit-reversed rows; to read rows in any order costs
# nothing.


@compiled(inline="always")
def _butterfly4(re, im, i0, i1, i2, i3):
    ar = load(re, i0)
    ai = load(im, i0)
    br = load(re, i1)
    bi = load(im, i1)
    cr = load(re, i2)
    ci = load(im, i2)
    dr = load(re, i3)
    di = load(im, i3)
    acr = ar + cr
    aci = ai + ci
    adr = ar - cr
    adi = ai - ci
    bdr = br + dr
    bdi = bi + di
    ber = br - dr
    bei = bi - di
    return (
        acr + bdr, aci + bdi, adr + bei, adi - ber, acr - bdr, aci - bdi, adr - bei, adi + ber,
    )  # fmt: skip


@compiled(inline="always")
def _put(re, im, index, xr, xi):
    store(re, index, xr)
    store(im, index, xi)


@compiled(inline="always")
def _put_turned(re, im, index, xr, xi, cos, sin, t):
    c = splat(cos[t])
    s = splat(sin[t])
    store(re, index, mulsub(xr, c, xi * s))
    store(im, index, muladd(xr, s, xi * c))


@compiled(inline="always")
def _pass4(re, im, start, length, step, cos, sin, first_turn):
    for n in range(length // 4):
        i0 = (start + n) * LANES
        i1 = i0 + step
        i2 = i1 + step
        i3 = i2 + step
        y0r, y0i, y1r, y1i, y2r, y2i, y3r, y3i = _butterfly4(re, im, i0, i1, i2, i3)
        t = first_turn + 3 * n
        _put(re, im, i0, y0r, y0i)
        _put_turned(re, im, i1, y1r, y1i, cos, sin, t)
        _put_turned(re, im, i2, y2r, y2i, cos, sin, t + 1)
        _put_turned(re, im, i3, y3r, y3i, cos, sin, t + 2)


@compiled(inline="always")
def _last_pass4(re, im, start, stop):
    """Transforms of length 4: nothing is left to turn."""
    for n in range(start, stop, 4):
        i0 = n * LANES
        i1 = i0 + LANES
        i2 = i1 + LANES
        i3 = i2 + LANES
        y0r, y0i, y1r, y1i, y2r, y2i, y3r, y3i = _butterfly4(re, im, i0, i1, i2, i3)
        _put(re, im, i0, y0r, y0i)
        _put(re, im, i1, y1r, y1i)
        _put(re, im, i2, y2r, y2i)
        _put(re, im, i3, y3r, y3i)


@compiled(inline="always")
def _pass8(re, im, start, length, step, cos, sin, first_turn, half_root):
    h = splat(half_root)
    for n in range(length // 8):
        i0 = (start + n) * LANES
        i1 = i0 + step
        i2 = i1 + step
        i3 = i2 + step
        i4 = i3 + step
        i5 = i4 + step
        i6 = i5 + step
        i7 = i6 + step
        ar, ai, br, bi, cr, ci, dr, di = _butterfly4(re, im, i0, i2, i4, i6)
        er, ei, fr, fi, gr, gi, kr, ki = _butterfly4(re, im, i1, i3, i5, i7)
        # The odd half turns by 45, 90 and 135 degrees: (1 - i) h, -i and (-1 - i) h.
        ur = (fr + fi) * h
        ui = (fi - fr) * h
        vr = (ki - kr) * h
        vi = (ki + kr) * h
        t = first_turn + 7 * n
        _put(re, im, i0, ar + er, ai + ei)
        _put_turned(re, im, i1, br + ur, bi + ui, cos, sin, t)
        _put_turned(re, im, i2, cr + gi, ci - gr, cos, sin, t + 1)
        _put_turned(re, im, i3, dr + vr, di - vi, cos, sin, t + 2)
        _put_turned(re, im, i4, ar - er, ai - ei, cos, sin, t + 3)
        _put_turned(re, im, i5, br - ur, bi - ui, cos, sin, t + 4)
        _put_turned(re, im, i6, cr - gi, ci + gr, cos, sin, t + 5)
        _put_turned(re, im, i7, dr - vr, di + vi, cos, sin, t + 6)


@compiled(inline="never")
def _complex_pass(re, im, start, length, step, radix, cos, sin, first_turn, half_root):
    if radix == 8:
        _pass8(re, im, start, length, step, cos, sin, first_turn, half_root)
    else:
        _pass4(re, im, start, length, step, cos, sin, first_turn)


@compiled(inline="never")
def _complex_fft(re, im, n, radices, first_turns, cos, sin, half_root):
    # The parts that the first pass makes are a row further apart than they are long: with powers of
    # two all rows of a butterfly would compete for the same few places of the cache.
    part = n // radices[0]
    step = (part + 1) * LANES
    _complex_pass(re, im, 0, n, step, radices[0], cos, sin, first_turns[0], half_root)
    for branch in range(radices[0]):
        start = branch * (part + 1)
        length = part
        for p in range(1, len(radices) - 1):
            step = length // radices[p] * LANES
            for inner in range(start, start + part, length):
                _complex_pass(
                    re, im, inner, length, step, radices[p], cos, sin, first_turns[p], half_root
                )
            length //= radices[p]
        _last_pass4(re, im, start, start + part)


@compiled(inline="never")
def _real_powers(re, im, rows, cos, sin, quarter, power, at):
    """Take the real transform out of the complex one, and square it."""
    n = len(rows)
    a = load(re, 0)
    b = load(im, 0)
    total = a + b
    alternating = a - b
    store(power, at, total * total)
    store(power, at + n * LANES, alternating * alternating)
    middle = rows[n // 2] * LANES
    a = load(re, middle)
    b = load(im, middle)
    store(power, at + n // 2 * LANES, muladd(a, a, b * b))
    scale = splat(quarter)
    for k in range(1, n // 2):
        # With Z the transform and Y = Z[n - k], conjugated: even half Z + Y, odd half (Z - Y) / i.
        i = rows[k] * LANES
        j = rows[n - k] * LANES
        zr = load(re, i)
        zi = load(im, i)
        yr = load(re, j)
        yi = load(im, j)
        even_r = zr + yr
        even_i = zi - yi
        odd_r = zi + yi
        odd_i = yr - zr
        c = splat(cos[k])
        s = splat(sin[k])
        turned_r = mulsub(odd_r, c, odd_i * s)
        turned_i = muladd(odd_r, s, odd_i * c)
        xr = even_r + turned_r
        xi = even_i + turned_i
        store(power, at + k * LANES, muladd(xr, xr, xi * xi) * scale)
        xr = even_r - turned_r
        xi = even_i - turned_i
        store(power, at + (n - k) * LANES, muladd(xr, xr, xi * xi) * scale)


@compiled(
    *_precisions(
        "void(S[::1], intp, intp, T[::1], T[::1], T[::1], intp[::1], intp[::1], T[::1], T[::1],"
        " intp[::1], T[::1], T[::1], T, T, T[::1])"
    )
)
def power_spectrum(
    padded, n_groups, hop_length, window, re, im, radices, first_turns, cos, sin,
    rows, real_cos, real_sin, half_root, quarter, power,
):  # fmt: skip
    """Power spectrum of `n_groups` groups of frames, from samples that hold all of each frame.

    ``re`` and ``im`` are scratch of n_fft // 2 rows and one more for each part of the first pass;
    ``power`` receives (group, bin, lane).
    """
    n = len(rows)
    part = n // radices[0]
    for group in range(n_groups):
        start = group * LANES * hop_length
        for branch in range(radices[0]):
            # Where this part's samples and its rows begin; see `_complex_fft`.
            first = branch * part
            row = (first + branch) * LANES
            for i in range(first, first + part, LANES // 2):
                a, b, c, d, e, f, g, h = load_across(padded, start + 2 * i, hop_length, window)
                w = 2 * i
                store(re, row, a * splat(window[w]))
                store(im, row, b * splat(window[w + 1]))
                store(re, row + LANES, c * splat(window[w + 2]))
                store(im, row + LANES, d * splat(window[w + 3]))
                store(re, row + 2 * LANES, e * splat(window[w + 4]))
                store(im, row + 2 * LANES, f * splat(window[w + 5]))
                store(re, row + 3 * LANES, g * splat(window[w + 6]))
                store(im, row + 3 * LANES, h * splat(window[w + 7]))
                row += 4 * LANES
        _complex_fft(re, im, n, radices, first_turns, cos, sin, half_root)
        _real_powers(re, im, rows, real_cos, real_sin, quarter, power, group * (n + 1) * LANES)


@compiled(*_precisions("void(T[::1], intp)"))
def magnitude_from_power(power, size):
    """Replace the first `size` powers by their roots."""
    for i in range(0, size, LANES):
        store(power, i, square_root(load(power, i)))


# --- Features of a spectrum ----------------------------------------------------------------------
#
# ``out`` is (rows, frames), longer than the clip by at least a group; frames are written from
# ``first`` on.


@compiled(
    *_precisions(
        "void(T[::1], intp, intp, intp[::1], intp[::1], intp[::1], T[::1], T[:, ::1], intp)"
    )
)
def mel_from_power(power, n_groups, n_bins, starts, stops, firsts, weights, out, first):
    """Sum power in bands; band b weighs bins starts[b] to stops[b] by weights from firsts[b] on."""
    zero = zeros_like(weights)
    for group in range(n_groups):
        at = group * n_bins * LANES
        for band in range(len(starts)):
            # Two sums, so that an addition does not wait for the one before.
            even = zero
            odd = zero
            weight = firsts[band] - starts[band]
            last = stops[band] - 1
            for k in range(starts[band], last, 2):
                even = muladd(splat(weights[weight + k]), load(power, at + k * LANES), even)
                odd = muladd(splat(weights[weight + k + 1]), load(power, at + (k + 1) * LANES), odd)
            if (stops[band] - starts[band]) % 2:
                even = muladd(splat(weights[weight + last]), load(power, at + last * LANES), even)
            store(out, band * out.shape[1] + first + group * LANES, even + odd)


@compiled(*_precisions("void(T[::1], intp, Array(T, 2, 'C', readonly=True), T[:, ::1], intp)"))
def chroma_from_power(power, n_groups, bank, out, first):
    """Multiply by a dense bank of shape (bins, classes), six classes at a time in registers."""
    n_bins, n_classes = bank.shape
    zero = zeros_like(out)
    for group in range(n_groups):
        at = group * n_bins * LANES
        into = first + group * LANES
        done = 0
        for c in range(0, n_classes - 5, 6):
            a0 = zero
            a1 = zero
            a2 = zero
            a3 = zero
            a4 = zero
            a5 = zero
            for k in range(n_bins):
                p = load(power, at + k * LANES)
                a0 = muladd(splat(bank[k, c]), p, a0)
                a1 = muladd(splat(bank[k, c + 1]), p, a1)
                a2 = muladd(splat(bank[k, c + 2]), p, a2)
                a3 = muladd(splat(bank[k, c + 3]), p, a3)
                a4 = muladd(splat(bank[k, c + 4]), p, a4)
                a5 = muladd(splat(bank[k, c + 5]), p, a5)
            store(out, c * out.shape[1] + into, a0)
            store(out, (c + 1) * out.shape[1] + into, a1)
            store(out, (c + 2) * out.shape[1] + into, a2)
            store(out, (c + 3) * out.shape[1] + into, a3)
            store(out, (c + 4) * out.shape[1] + into, a4)
            store(out, (c + 5) * out.shape[1] + into, a5)
            done = c + 6
        for c in range(done, n_classes):
            total = zero
            for k in range(n_bins):
                total = muladd(splat(bank[k, c]), load(power, at + k * LANES), total)
            store(out, c * out.shape[1] + into, total)


@compiled(*_precisions("intp(T[::1], intp, intp, intp, intp, T, float64[::1], float64[::1], intp)"))
def append_peaks(power, n_frames, n_bins, lowest, highest, threshold, bins, heights, count):
    """Append the peaks of each frame in bins lowest to highest - 1; give how many there are now.

    A peak is higher than its neighbours and than `threshold` times the frame's highest bin; its
    place, in bins, and its height are those of a parabola through three bins, as in librosa's
    piptrack.
    """
    for group in range(-(-n_frames // LANES)):
        at = group * n_bins * LANES
        # The last group may have lanes that are no frames of the clip.
        frames_of_group = (1 << min(n_frames - group * LANES, LANES)) - 1
        top = load(power, at)
        for k in range(1, n_bins):
            top = larger(load(power, at + k * LANES), top)
        floor = top * splat(threshold)
        for k in range(lowest, highest):
            i = at + k * LANES
            peaks = peaks_among(
                load(power, i - LANES), load(power, i), load(power, i + LANES), floor
            )
            peaks &= frames_of_group
            while peaks:
                j = i + lowest_bit(peaks)
                peaks &= peaks - 1
                below = power[j - LANES]
                here = power[j]
                above = power[j + LANES]
                curve = above + below - 2 * here
                slope = (above - below) / 2
                # On a flat top rounding may leave no curve: then the peak is where it is.
                shift = 0.0 if abs(slope) >= abs(curve) else -slope / curve
                bins[count] = k + shift
                heights[count] = here + 0.5 * slope * shift
                count += 1
    return count


@compiled("float64(float64[::1], float64[::1], float64, intp, float64[::1], intp[::1])")
def tuning_from_peaks(bins, heights, bin_width, bins_per_octave, edges, counts):
    """Find the most frequent deviation of the higher half of the peaks from equal temperament."""
    if len(heights) == 0:
        return 0.0
    floor = np.median(heights)
    n_counts = len(counts)
    counts[:] = 0
    for i in range(len(bins)):
        if heights[i] >= floor:
            octaves = math.log2(bins[i] * bin_width / 27.5)
            residual = bins_per_octave * octaves % 1.0
            if residual >= 0.5:
                residual -= 1.0
            place = min(int((residual + 0.5) * n_counts), n_counts - 1)
            # The edges decide, not the rounding of the line above.
            if residual < edges[place]:
                place -= 1
            elif residual >= edges[place + 1] and place < n_counts - 1:
                place += 1
            counts[place] += 1
    return edges[np.argmax(counts)]


@compiled(*_precisions("void(T[::1], intp, T[::1], T, T, T[:, ::1], intp)"))
def moments_from_magnitude(magnitude, n_groups, frequencies, roll_percent, tiny, out, first):
    """Write centroid, bandwidth and rolloff into rows 0, 1 and 2."""
    n_bins = len(frequencies)
    zero = zeros_like(out)
    tiny = splat(tiny)
    spacing = splat(frequencies[1])
    for group in range(n_groups):
        at = group * n_bins * LANES
        into = first + group * LANES
        total = zero
        weighted = zero
        for k in range(n_bins):
            m = load(magnitude, at + k * LANES)
            total = total + m
            weighted = muladd(m, splat(frequencies[k]), weighted)
        # In silence all sums are zero, and so is what is divided by anything but zero.
        centroid = weighted / larger(total, tiny)
        floor = total * splat(roll_percent)
        spread = zero
        running = zero
        below = zero
        for k in range(n_bins):
            m = load(magnitude, at + k * LANES)
            distance = splat(frequencies[k]) - centroid
            spread = muladd(distance * distance, m, spread)
            running = running + m
            below = below + one_where_below(running, floor)
        store(out, into, centroid)
        store(out, out.shape[1] + into, square_root(spread / larger(total, tiny)))
        store(out, 2 * out.shape[1] + into, below * spacing)


@compiled(*_precisions("void(T[::1], intp, intp, T, T[:, ::1], intp, T[::1], T[::1])"))
def flatness_from_power(power, n_groups, n_bins, amin, out, first, exponents, mantissas):
    """Geometric over arithmetic mean of the power, at least `amin`.

    The sum of logarithms is taken of exponents and of products of mantissas: few logarithms in all.
    The last two arguments are scratch of one group of lanes.
    """
    zero = zeros_like(out)
    floor = splat(amin)
    for group in range(n_groups):
        at = group * n_bins * LANES
        total = zero
        part = zero
        exponent_sum = zero
        product = zero
        for k in range(n_bins):
            p = larger(load(power, at + k * LANES), floor)
            part = part + p
            exponent_sum = exponent_sum + exponent(p)
            # A product of 64 mantissas stays within single precision, and a sum of parts keeps more
            # of it than one long sum.
            product = mantissa(p) if k == 0 else product * mantissa(p)
            if k % 64 == 63:
                exponent_sum = exponent_sum + exponent(product)
                product = mantissa(product)
                total = total + part
                part = zero
        store(exponents, 0, exponent_sum)
        store(mantissas, 0, product)
        into = first + group * LANES
        store(out, into, total + part)
        for lane in range(LANES):
            mean = (exponents[lane] + math.log2(mantissas[lane])) / n_bins
            out[0, into + lane] = 2.0**mean / (out[0, into + lane] / n_bins)


@compiled(
    *_precisions(
        "void(T[::1], intp, intp, intp[::1], intp[::1], intp[::1], T[::1], T[:, ::1],"
        " T[:, ::1], intp)"
    )
)
def extremes_from_magnitude(
    magnitude, n_groups, n_bins, starts, stops, counts, band, peaks, valleys, first
):
    """Mean of the counts[b] largest and smallest magnitudes in bins starts[b] to stops[b] - 1.

    ``band`` is scratch of n_bins numbers.
    """
    for group in range(n_groups):
        for b in range(len(starts)):
            size = stops[b] - starts[b]
            count = min(counts[b], size)
            for lane in range(LANES):
                at = (group * n_bins + starts[b]) * LANES + lane
                for k in range(size):
                    band[k] = magnitude[at + k * LANES]
                low = 0.0
                high = 0.0
                # Few are wanted of many: the next smallest to the front, the largest to the back.
                for taken in range(count):
                    smallest = taken
                    for k in range(taken + 1, size):
                        if band[k] < band[smallest]:
                            smallest = k
                    value = band[smallest]
                    band[smallest] = band[taken]
                    band[taken] = value
                    low += value
                for k in range(size):
                    band[k] = magnitude[at + k * LANES]
                for taken in range(count):
                    end = size - 1 - taken
                    largest = end
                    for k in range(end):
                        if band[k] > band[largest]:
                            largest = k
                    value = band[largest]
                    band[largest] = band[end]
                    band[end] = value
                    high += value
                valleys[b, first + group * LANES + lane] = low / count
                peaks[b, first + group * LANES + lane] = high / count


# --- Features of the waveform --------------------------------------------------------------------


@compiled(*_precisions("void(S[::1], intp, intp, intp, intp, T[::1], T[::1], intp)"))
def rms_of_frames(padded, n_frames, frame_length, hop_length, part, sums, out, first):
    """Root of the mean square of each frame; `part` divides both lengths and is summed once."""
    for i in range(((n_frames - 1) * hop_length + frame_length) // part):
        total = 0.0
        start = i * part
        whole = part // LANES * LANES
        squares = zeros_like(sums)
        for k in range(start, start + whole, LANES):
            x = load_as(padded, k, sums)
            squares = muladd(x, x, squares)
        total += sum_of(squares)
        for k in range(start + whole, start + part):
            x = float(padded[k])
            total += x * x
        sums[i] = total
    for frame in range(n_frames):
        total = 0.0
        at = frame * hop_length // part
        for i in range(at, at + frame_length // part):
            total += sums[i]
        out[first + frame] = math.sqrt(total / frame_length)


@compiled(
    *_precisions("void(S[::1], intp, intp, S, intp, intp, intp, intp, intp[::1], T[::1], intp)")
)
def zero_crossing_rate_of_frames(
    padded, begin, end, threshold, n_frames, frame_length, hop_length, part, sums, out, first
):
    """Share of samples whose sign is not that of the one before; numbers near zero have none.

    Sound stands in ``padded[begin:end]``; beyond it nothing crosses.
    """
    floor = splat(-threshold)
    for i in range(((n_frames - 1) * hop_length + frame_length) // part):
        start = max(i * part, begin + 1)
        stop = min((i + 1) * part, end)
        crossings = zeros_like(padded)
        whole = start + max(stop - start, 0) // LANES * LANES
        for k in range(start, whole, LANES):
            crossings = crossings + one_where_one_is_below(
                load(padded, k), load(padded, k - 1), floor
            )
        count = int(sum_of(crossings))
        for k in range(whole, stop):
            count += (padded[k] < -threshold) != (padded[k - 1] < -threshold)
        sums[i] = count
    for frame in range(n_frames):
        count = 0
        at = frame * hop_length // part
        for i in range(at, at + frame_length // part):
            count += sums[i]
        # The first sample of a frame has none before it.
        k = frame * hop_length
        if begin < k < end:
            count -= (padded[k] < -threshold) != (padded[k - 1] < -threshold)
        out[first + frame] = count / frame_length


# --- Over bands, and over time -------------------------------------------------------------------


@compiled(inline="always")
def _log2(x):
    """Binary logarithm of positive, normal numbers: the exponent, and a series for the rest."""
    m = mantissa(x)
    # From 1 .. 2 to 0.71 .. 1.41, where ten terms of the series are exact to rounding.
    upper = one_where_below(splat_like(1.4142135623730951, x), m)
    m = m * (splat_like(1.0, x) - splat_like(0.5, x) * upper)
    s = (m - splat_like(1.0, x)) / (m + splat_like(1.0, x))
    square = s * s
    total = splat_like(1 / 21, x)
    for k in range(19, 0, -2):
        total = muladd(total, square, splat_like(1 / k, x))
    return muladd(s * splat_like(2.8853900817779268, x), total, exponent(x) + upper)


@compiled(*_precisions("void(T[:, ::1], intp, T, T, T, T, T[:, ::1])"))
def decibels_of_rows(rows, n_frames, factor, amin, reference, top_db, out):
    """Write ``factor`` times the decimal logarithm, at least `amin`, over a reference in dB.

    NaN for the reference means the highest level. What lies more than `top_db` below that is
    raised.
    """
    scale = splat_like(0.30102999566398120, zeros_like(rows)) * splat(factor)
    floor = splat(amin)
    highest = -np.inf
    for row in range(rows.shape[0]):
        top = splat_like(-np.inf, floor)
        for t in range(0, n_frames, LANES):
            level = _log2(larger(load(rows, row * rows.shape[1] + t), floor)) * scale
            store(out, row * out.shape[1] + t, level)
            if t + LANES <= n_frames:
                top = larger(level, top)
        highest = max(highest, highest_of(top))
        for t in range(n_frames // LANES * LANES, n_frames):
            highest = max(highest, out[row, t])
    lowest = splat_like(highest - top_db, floor)
    zero_level = splat_like(highest if math.isnan(reference) else reference, floor)
    for row in range(rows.shape[0]):
        for t in range(0, n_frames, LANES):
            i = row * out.shape[1] + t
            store(out, i, larger(load(out, i), lowest) - zero_level)


@compiled(*_precisions("void(T[:, ::1], intp, T[:, ::1], T[::1], T[::1], T[:, ::1])"))
def cosine_transform_of_rows(rows, n_frames, cosines, sums, differences, out):
    """Multiply each frame by cosines, which are even about the middle of the rows, or odd in turn.

    So the rows are folded first: even cosines see sums, odd ones differences, and ``cosines`` holds
    but the first half of its columns. ``sums`` and ``differences`` are scratch of that many lanes.
    """
    n_rows = rows.shape[0]
    n_cosines, half = cosines.shape
    zero = zeros_like(rows)
    for t in range(0, n_frames, LANES):
        for m in range(half):
            near = load(rows, m * rows.shape[1] + t)
            far = load(rows, (n_rows - 1 - m) * rows.shape[1] + t)
            # The middle one of an odd number of rows counts once.
            store(sums, m * LANES, near if 2 * m + 1 == n_rows else near + far)
            store(differences, m * LANES, near - far)
        for k in range(0, n_cosines, 4):
            a = zero
            b = zero
            c = zero
            d = zero
            k1 = min(k + 1, n_cosines - 1)
            k2 = min(k + 2, n_cosines - 1)
            k3 = min(k + 3, n_cosines - 1)
            for m in range(half):
                even = load(sums, m * LANES)
                odd = load(differences, m * LANES)
                a = muladd(splat(cosines[k, m]), even, a)
                b = muladd(splat(cosines[k1, m]), odd, b)
                c = muladd(splat(cosines[k2, m]), even, c)
                d = muladd(splat(cosines[k3, m]), odd, d)
            store(out, k * out.shape[1] + t, a)
            if k + 1 < n_cosines:
                store(out, k1 * out.shape[1] + t, b)
            if k + 2 < n_cosines:
                store(out, k2 * out.shape[1] + t, c)
            if k + 3 < n_cosines:
                store(out, k3 * out.shape[1] + t, d)


@compiled(*_precisions("void(T[:, ::1], intp, T[::1], T[:, ::1])"))
def filter_rows(rows, n_frames, weights, out):
    """Weigh the frames around each frame of each row, where all of them are in the clip.

    Rows of `rows` and `out` must be longer than the clip by two groups of lanes.
    """
    width = len(weights)
    zero = zeros_like(rows)
    for row in range(rows.shape[0]):
        source = row * rows.shape[1]
        target = row * out.shape[1] + width // 2
        # Less the first frame, what does not move has derivatives of 0, not of rounding errors.
        level = splat(rows[row, 0])
        for t in range(0, n_frames - width + 1, LANES):
            total = zero
            for k in range(width):
                total = muladd(splat(weights[k]), load(rows, source + t + k) - level, total)
            store(out, target + t, total)
