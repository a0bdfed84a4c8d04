"""A classifier as one ONNX graph: from pixels through the encoder and the head to probabilities."""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from backend.models.classification.head import Head
from backend.models.embedding.onnx_runtime import VERSION_CARD
from backend.models.link_functions import SOFTMAX

_NONE: Mapping[str, int] = {}


def write(encoders: Sequence[Path], head: Head, about: Mapping[str, Any], target: Path) -> None:
    """Append the head to exported encoders, and write all as one file.

    The graph takes `images`, (n, side, side, 3) uint8 RGB, and returns `probabilities`, (n, K) in
    the order of `head.labels`. Of several encoders, whose vectors are joined, each has an input of
    its own, since they look at images of different sizes: `images_0`, `images_1`. Vectors are
    rounded to float16 in between, as they are when they are cached.
    """
    onnx: Any = import_module("onnx")
    helper: Any = import_module("onnx.helper")
    floats = onnx.TensorProto.FLOAT
    model, vectors = _encoded([onnx.load(str(path)) for path in encoders])
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
        helper.make_node("MatMul", [vectors, "head_weights"], ["products"]),
        helper.make_node("Add", ["products", "head_bias"], ["logits"]),
        helper.make_node(name, ["logits"], ["probabilities"], **fields),
    ]
    model.graph.node.extend(nodes)
    del model.graph.output[:]
    shape = ["n", len(head.labels)]
    answer = helper.make_tensor_value_info("probabilities", floats, shape)
    model.graph.output.append(answer)
    facts = {"names": list(head.labels), VERSION_CARD: dict(about), "task": "classify"}
    for name, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        entry = model.metadata_props.add()
        entry.key, entry.value = name, text
    onnx.checker.check_model(model)
    onnx.save(model, str(target))


def _encoded(models: Sequence[Any]) -> tuple[Any, str]:
    """Return one model with the graphs of all encoders, and the name of their joined vectors."""
    helper: Any = import_module("onnx.helper")
    joined = models[0] if len(models) == 1 else _beside_each_other(models)
    parts = [
        _rounded(joined, one.name, f"part_{number}", len(models) ** -0.5)
        for number, one in enumerate(joined.graph.output)
    ]
    joined.graph.node.append(helper.make_node("Concat", parts, ["features"], axis=1))
    return joined, "features"


def _rounded(model: Any, vectors: str, name: str, share: float) -> str:
    """Round vectors to float16, multiply them by `share` where that is not 1, and round again."""
    onnx: Any = import_module("onnx")
    helper: Any = import_module("onnx.helper")
    to_tensor: Any = import_module("onnx.numpy_helper")
    half = f"{name}_half"
    nodes = [helper.make_node("Cast", [vectors], [half], to=onnx.TensorProto.FLOAT16)]
    if share != 1:
        constant = to_tensor.from_array(np.asarray(share, dtype=np.float16), f"{name}_share")
        model.graph.initializer.append(constant)
        nodes.append(helper.make_node("Mul", [half, f"{name}_share"], [f"{name}_shared"]))
        half = f"{name}_shared"
    nodes.append(helper.make_node("Cast", [half], [name], to=onnx.TensorProto.FLOAT))
    model.graph.node.extend(nodes)
    return name


def _beside_each_other(models: Sequence[Any]) -> Any:
    """Return one model with these graphs, whose names would clash without a prefix."""
    compose: Any = import_module("onnx.compose")
    inliner: Any = import_module("onnx.inliner")
    first, *others = [
        _with_own_names(
            compose.add_prefix(inliner.inline_local_functions(one), f"e{number}_"), number
        )
        for number, one in enumerate(models)
    ]
    for other in others:
        for part in ("node", "initializer", "input", "output", "value_info"):
            getattr(first.graph, part).extend(getattr(other.graph, part))
        newer = {one.domain: one.version for one in other.opset_import}
        for known in first.opset_import:
            known.version = max(known.version, newer.get(known.domain, 0))
    return first


def _with_own_names(model: Any, number: int) -> Any:
    """Call the input of an encoder `images_0` and so on."""
    (given,) = model.graph.input
    was, given.name = given.name, f"images_{number}"
    for node in model.graph.node:
        node.input[:] = [given.name if name == was else name for name in node.input]
    return model
