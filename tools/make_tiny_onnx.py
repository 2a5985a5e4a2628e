#!/usr/bin/env python3
"""Writes tests/data/tiny_onnx/{plain,quantized}.onnx: models of a few kilobytes to read in tests.

Usage: python tools/make_tiny_onnx.py        (with onnx==1.18.0 and numpy installed)

A token's output is its row of a table, plus half the mean row of its text's tokens by the mask, so
that padding that leaks in shows. The `quantized` one quantizes the rows over the whole call, as
dynamically quantized models on the hub do.
"""
import pathlib

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "data" / "tiny_onnx"
VOCABULARY, HIDDEN = 1500, 4


def table():
    # What the test computes by itself: row i, column j.
    i, j = numpy.meshgrid(numpy.arange(VOCABULARY), numpy.arange(HIDDEN), indexing="ij")
    return (((i * 31 + j * 17) % 97) / 48.5 - 1).astype(numpy.float32)


def model(quantized):
    node = helper.make_node
    nodes = [node("Gather", ["table", "input_ids"], ["rows0"], axis=0)]
    if quantized:
        nodes += [node("DynamicQuantizeLinear", ["rows0"], ["q", "scale", "zero"]),
                  node("DequantizeLinear", ["q", "scale", "zero"], ["rows"])]
    else:
        nodes += [node("Identity", ["rows0"], ["rows"])]
    nodes += [
        node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["mask", "last"], ["mask3"]),
        node("Mul", ["rows", "mask3"], ["masked"]),
        node("ReduceSum", ["masked", "one"], ["sum"], keepdims=1),
        node("ReduceSum", ["mask3", "one"], ["count"], keepdims=1),
        node("Div", ["sum", "count"], ["mean"]),
        node("Mul", ["mean", "half"], ["halved"]),
        node("Add", ["rows", "halved"], ["mixed"]),
        node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["types", "last"], ["types3"]),
        node("Add", ["mixed", "types3"], ["last_hidden_state"]),
    ]
    constants = [
        numpy_helper.from_array(table(), "table"),
        numpy_helper.from_array(numpy.array([2], numpy.int64), "last"),
        numpy_helper.from_array(numpy.array([1], numpy.int64), "one"),
        numpy_helper.from_array(numpy.array(0.5, numpy.float32), "half"),
    ]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
              for name in ("input_ids", "attention_mask", "token_type_ids")]
    outputs = [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT,
                                             ["batch", "tokens", HIDDEN])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    out = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(out)
    return out


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name in ("plain", "quantized"):
        data = model(name == "quantized").SerializeToString()
        (OUT / f"{name}.onnx").write_bytes(data)
        print(OUT / f"{name}.onnx", len(data), "bytes")


if __name__ == "__main__":
    main()
