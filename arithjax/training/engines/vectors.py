"""Vectors of floats inside numba: one number for each of the nets that a processor's register holds.

A `Vector` stands for a value in the code being compiled. Arithmetic on it writes LLVM instructions; a plain number
beside a vector becomes a vector of equal lanes. `emitted` makes a function that writes such code callable from numba
functions, which know memory by address (an integer, in bytes) and vectors not at all: one function serves matrices of
any shape, and little is left for numba to analyse.

Only what is written is computed: products and sums are fused where `fma` says so and nowhere else, and no fast-math
flag is set, so that a lane's bits do not depend on the width of the vector or on the processor.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numba
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features

config: Any = numba.config  # for type checkers: numba fills it, and wraps functions, at run time
intrinsic: Any = extending.intrinsic

I32, I64, POINTER = ir.IntType(32), ir.IntType(64), ir.PointerType()
ARM = platform.machine().lower() in ("aarch64", "arm64")


# the instruction sets that numba compiles for; NUMBA_CPU_FEATURES narrows them
FEATURES = set((get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES).split(","))
FUSES = ARM or "+fma" in FEATURES  # without the instruction, LLVM would call a library for every fma
BYTES = 64 if "+avx512f" in FEATURES else 32 if "+avx2" in FEATURES else 16  # of a vector
FEW = 4  # nets that share a vector, with several units of a layer side by side


class Vector:
    """A vector in the code being compiled: `value` is LLVM's, of type `kind`, which `builder` can use."""

    def __init__(self, builder: Any, kind: ir.VectorType, value: Any) -> None:
        self.builder, self.kind, self.value = builder, kind, value

    @property
    def single(self) -> bool:
        """Whether the elements are float32; otherwise they are float64."""
        return self.kind.element == ir.FloatType()

    @property
    def width(self) -> int:
        """Bits of an element."""
        return 32 if self.single else 64

    def like(self, number: Any) -> Vector:
        """A number, or one of LLVM's scalars, as a vector of equal lanes; a vector is left as it is."""
        if isinstance(number, Vector):
            return number
        if isinstance(number, int | float):
            return Vector(self.builder, self.kind, ir.Constant(self.kind, [float(number)] * self.kind.count))
        first = self.builder.insert_element(ir.Constant(self.kind, ir.Undefined), number, I32(0))
        equal = ir.Constant(ir.VectorType(I32, self.kind.count), [0] * self.kind.count)
        return Vector(self.builder, self.kind, self.builder.shuffle_vector(first, first, equal))

    def to(self, element: Any) -> Vector:
        """Every lane as LLVM's float or double, rounded if it has to be."""
        kind = ir.VectorType(element, self.kind.count)
        if kind == self.kind:
            return self
        change = self.builder.fptrunc if self.width == 64 else self.builder.fpext
        return Vector(self.builder, kind, change(self.value, kind))

    def call(self, name: str, *others: Any) -> Vector:
        """LLVM's own function `name` of this vector and others."""
        values = [self.value, *(self.like(other).value for other in others)]
        function = ir.FunctionType(self.kind, [self.kind] * len(values))
        full = f"llvm.{name}.v{self.kind.count}f{self.width}"
        return Vector(
            self.builder,
            self.kind,
            self.builder.call(cgutils.get_or_insert_function(self.builder.module, function, full), values),
        )

    def _with(self, name: str, x: Any, y: Any) -> Vector:
        return Vector(self.builder, self.kind, getattr(self.builder, name)(self.like(x).value, self.like(y).value))

    def __add__(self, other: Any) -> Vector:
        return self._with("fadd", self, other)

    def __sub__(self, other: Any) -> Vector:
        return self._with("fsub", self, other)

    def __rsub__(self, other: Any) -> Vector:
        return self._with("fsub", other, self)

    def __mul__(self, other: Any) -> Vector:
        return self._with("fmul", self, other)

    def __truediv__(self, other: Any) -> Vector:
        return self._with("fdiv", self, other)

    def __rtruediv__(self, other: Any) -> Vector:
        return self._with("fdiv", other, self)

    def __neg__(self) -> Vector:
        return Vector(self.builder, self.kind, self.builder.fneg(self.value))

    def _compare(self, sign: str, other: Any) -> Mask:
        return Mask(self.builder, self.builder.fcmp_ordered(sign, self.value, self.like(other).value))

    def __lt__(self, other: Any) -> Mask:
        return self._compare("<", other)

    def __gt__(self, other: Any) -> Mask:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Mask:
        return self._compare(">=", other)


class Mask:
    """A truth value for each lane; a comparison with a NaN is false."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __or__(self, other: Mask) -> Mask:
        return Mask(self.builder, self.builder.or_(self.value, other.value))

    def __and__(self, other: Mask) -> Mask:
        return Mask(self.builder, self.builder.and_(self.value, other.value))


# ---- functions of vectors


def fma(x: Vector, y: Any, z: Any) -> Vector:
    """`x * y + z`, rounded once."""
    return x.call("fma", y, z)


def where(mask: Mask, x: Any, y: Any) -> Vector:
    """`x` in the lanes where the mask is set, `y` in the others; at least one of them a vector."""
    vector = x if isinstance(x, Vector) else y
    value = mask.builder.select(mask.value, vector.like(x).value, vector.like(y).value)
    return Vector(mask.builder, vector.kind, value)


def sqrt(x: Vector) -> Vector:
    """The square root."""
    return x.call("sqrt")


def absolute(x: Vector) -> Vector:
    """|x|."""
    return x.call("fabs")


def nearest(x: Vector) -> Vector:
    """The nearest whole number, of two the even one."""
    return x.call("rint")


def power_of_two(n: Vector) -> Vector:
    """`2**n` for whole n within the normal numbers.

    n + bias enters the exponent by way of a sum whose low bits are that integer: converting a NaN would be undefined.
    """
    mantissa, bias = (23, 127) if n.single else (52, 1023)
    words = ir.VectorType(ir.IntType(n.width), n.kind.count)
    bits = n.builder.bitcast((n + (1.5 * 2.0**mantissa + bias)).value, words)
    shifted = n.builder.shl(bits, ir.Constant(words, [mantissa] * n.kind.count))
    return Vector(n.builder, n.kind, n.builder.bitcast(shifted, n.kind))


def polynomial(x: Vector, coefficients: Sequence[float]) -> Vector:
    """Horner's rule in fused steps, highest power first."""
    total = x.like(coefficients[0])
    for number in coefficients[1:]:
        total = fma(total, x, number)
    return total


# ---- code that numba functions call


class Code:
    """Writes loops, loads and stores of vectors, as wide as the processor's unless told otherwise."""

    def __init__(self, builder: Any, element: Any, count: int = 0) -> None:
        size = 4 if element == ir.FloatType() else 8
        self.builder, self.kind = builder, ir.VectorType(element, count or BYTES // size)
        self.bytes = self.kind.count * size

    @property
    def part(self) -> Code:
        """For vectors of `FEW` numbers, or of what a whole vector has if that is less."""
        return Code(self.builder, self.kind.element, min(FEW, self.kind.count))

    def vector(self, value: Any) -> Vector:
        """One of LLVM's values as a vector."""
        return Vector(self.builder, self.kind, value)

    def full(self, number: Any) -> Vector:
        """A vector of equal lanes."""
        return self.vector(None).like(number)

    def load(self, address: Any, *offsets: Any) -> Vector:
        """The vector at an address."""
        # arrays are aligned to whole vectors, which is fast; to claim less costs nothing and is true of any array
        return self.vector(self.builder.load(self._pointer(address, offsets), typ=self.kind, align=4))

    def load_repeated(self, address: Any, *offsets: Any) -> Vector:
        """The vector of `FEW` numbers at an address, as often as a whole vector holds it."""
        part = self.part.load(address, *offsets).value
        order = [lane % part.type.count for lane in range(self.kind.count)]
        lanes = ir.Constant(ir.VectorType(I32, self.kind.count), order)
        return self.vector(self.builder.shuffle_vector(part, part, lanes))

    def store(self, vector: Vector, address: Any, *offsets: Any) -> None:
        """Write a vector to an address."""
        self.builder.store(vector.value, self._pointer(address, offsets), align=4)

    def _pointer(self, address: Any, offsets: Sequence[Any]) -> Any:
        for offset in offsets:
            address = self.builder.add(address, I64(offset) if isinstance(offset, int) else offset)
        return self.builder.inttoptr(address, POINTER)

    @contextlib.contextmanager
    def each(self, count: Any) -> Iterator[Any]:
        """A loop over consecutive vectors: yields their offset."""
        with cgutils.for_range(self.builder, count) as loop:
            yield self.builder.mul(loop.index, I64(self.bytes))

    @contextlib.contextmanager
    def every(self, count: Any, step: Any) -> Iterator[Any]:
        """A loop over vectors that are `step` bytes apart: yields their offset."""
        with cgutils.for_range(self.builder, count) as loop:
            yield self.builder.mul(loop.index, step)

    def switch(self, index: Any, write: Callable, members: Sequence[Any]) -> None:
        """Code that `write(member)` writes, for the member at an index known at run time."""
        end = self.builder.append_basic_block("end")
        cases = self.builder.switch(index, end)
        for place, member in enumerate(members):
            block = self.builder.append_basic_block("case")
            cases.add_case(I64(place), block)
            self.builder.position_at_end(block)
            write(member)
            self.builder.branch(end)
        self.builder.position_at_end(end)


def emitted(write: Callable) -> Callable:
    """`write(code, *arguments)` as a function for numba.

    Its arguments are integers, triples of them, or floats, all of the element type of the vectors; at least one float.
    """

    @intrinsic
    def call(typing: Any, *arguments: Any) -> Any:
        kinds = [types.int64 if isinstance(kind, types.Integer) else kind for kind in arguments]
        element = next(kind for kind in kinds if isinstance(kind, types.Float))

        def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            code = Code(builder, ir.FloatType() if element == types.float32 else ir.DoubleType())
            write(code, *cgutils.unpack_tuple(builder, values[0]))
            return context.get_dummy_value()

        return types.none(types.StarArgTuple.from_types(kinds)), build

    return call


def _void(builder: Any, name: str, *values: Any) -> None:
    function = ir.FunctionType(ir.VoidType(), [value.type for value in values])
    builder.call(cgutils.get_or_insert_function(builder.module, function, name), values)


@intrinsic
def prefetch(typing: Any, address: Any) -> Any:
    """Ask for the cache line at an address, which is read soon."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _void(builder, "llvm.prefetch.p0", builder.inttoptr(values[0], POINTER), I32(0), I32(3), I32(1))
        return context.get_dummy_value()

    return types.none(types.int64), build


@intrinsic
def flush_denormals(typing: Any) -> Any:
    """Count denormal numbers as zero in this thread from here on; returns the control register as it was.

    The moments of a dead net are denormal, and a step with them takes six times as long.
    """

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        if ARM:
            function = ir.FunctionType(I64, [])
            name = "llvm.aarch64.get.fpcr"
            before = builder.call(cgutils.get_or_insert_function(builder.module, function, name), [])
        else:
            slot = cgutils.alloca_once(builder, I32)
            _void(builder, "llvm.x86.sse.stmxcsr", slot)
            before = builder.zext(builder.load(slot), I64)
        _set_control(builder, builder.or_(before, I64(1 << 24 if ARM else 0x8040)))
        return before

    return types.int64(), build


@intrinsic
def restore_denormals(typing: Any, before: Any) -> Any:
    """Put the control register back as `flush_denormals` found it."""

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        _set_control(builder, values[0])
        return context.get_dummy_value()

    return types.none(types.int64), build


def _set_control(builder: Any, value: Any) -> None:
    if ARM:
        _void(builder, "llvm.aarch64.set.fpcr", value)
        return
    slot = cgutils.alloca_once(builder, I32)
    builder.store(builder.trunc(value, I32), slot)
    _void(builder, "llvm.x86.sse.ldmxcsr", slot)
