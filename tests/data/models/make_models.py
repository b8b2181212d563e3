#!/usr/bin/env python3
"""Writes the ONNX files beside it by hand, field by field (onnx.proto3), as somebody else's tools would:
a classifier of 3x32x32 pictures into 10 classes, and one with an operator that no runtime has."""
import pathlib
import struct


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def tensor(name, shape, values):
    return b"".join(number(1, n) for n in shape) + number(2, 1) + data(8, name) + data(9, struct.pack(f"<{len(values)}f", *values))


def value(name, shape):
    axes = b"".join(data(1, data(2, n) if isinstance(n, str) else number(1, n)) for n in shape)
    return data(1, name) + data(2, data(1, number(1, 1) + data(2, axes)))


def node(kind, inputs, output):
    return b"".join(data(1, name) for name in inputs) + data(2, output) + data(3, output) + data(4, kind)


def model(nodes, constants, shape_in, shape_out):
    graph = b"".join(data(1, each) for each in nodes) + data(2, "classifier") + b"".join(data(5, each) for each in constants)
    graph += data(11, value("picture", shape_in)) + data(12, value("classes", shape_out))
    return number(1, 8) + data(2, "by hand") + data(7, graph) + data(8, data(1, "") + number(2, 17))


# Class k of a picture with mean colours r, g, b is (k r + 0.5 g - b) + 0.1 k.
weights = [float(k) for k in range(10)] + [0.5] * 10 + [-1.0] * 10
bias = [0.1 * k for k in range(10)]
constants = [tensor("weights", [3, 10], weights), tensor("bias", [10], bias)]
nodes = [
    node("GlobalAveragePool", ["picture"], "pooled"),
    node("Flatten", ["pooled"], "colours"),
    node("Gemm", ["colours", "weights", "bias"], "classes"),
]
here = pathlib.Path(__file__).parent
(here / "classifier.onnx").write_bytes(model(nodes, constants, ["batch", 3, 32, 32], ["batch", 10]))
(here / "unknown_operator.onnx").write_bytes(model([node("NoSuchOperator", ["picture"], "classes")], [], [1, 3, 32, 32], [1, 10]))
