"""A classifier as one ONNX graph: from pixels through the encoder and the head to probabilities."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from backend.models.classification.head import Head
from backend.models.link_functions import SOFTMAX

_NONE: Mapping[str, int] = {}

METADATA = "autolabel"
"""Key of the metadata that says what the model is, as JSON."""


def write(encoder: Path, head: Head, about: Mapping[str, Any], target: Path) -> None:
    """Append the head to an exported encoder, and write both as one file.

    The graph takes `images`, (n, side, side, 3) uint8 RGB, and returns `probabilities`, (n, K) in
    the order of `head.labels`. Vectors are rounded to float16 in between, as they are when they
    are cached.
    """
    onnx: Any = import_module("onnx")
    helper: Any = import_module("onnx.helper")
    floats, halves = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
    model = onnx.load(str(encoder))
    vectors = model.graph.output[0].name
    slope = np.asarray(head.calibration.slope, dtype=np.float32)
    offset = np.asarray(head.calibration.offset, dtype=np.float32)
    arrays = {
        "head_weights": np.asarray(head.linear.weights, dtype=np.float32) * slope,
        "head_bias": np.asarray(head.linear.bias, dtype=np.float32) * slope + offset,
    }
    to_tensor: Any = import_module("onnx.numpy_helper")
    for name, array in arrays.items():
        model.graph.initializer.append(to_tensor.from_array(array, name))
    name, fields = ("Softmax", {"axis": 1}) if head.rule.link is SOFTMAX else ("Sigmoid", _NONE)
    nodes = [
        helper.make_node("Cast", [vectors], ["rounded"], to=halves),
        helper.make_node("Cast", ["rounded"], ["features"], to=floats),
        helper.make_node("MatMul", ["features", "head_weights"], ["products"]),
        helper.make_node("Add", ["products", "head_bias"], ["logits"]),
        helper.make_node(name, ["logits"], ["probabilities"], **fields),
    ]
    model.graph.node.extend(nodes)
    del model.graph.output[:]
    shape = ["n", len(head.labels)]
    answer = helper.make_tensor_value_info("probabilities", floats, shape)
    model.graph.output.append(answer)
    facts = {"names": list(head.labels), METADATA: dict(about), "task": "classify"}
    for name, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        entry = model.metadata_props.add()
        entry.key, entry.value = name, text
    onnx.checker.check_model(model)
    onnx.save(model, str(target))
