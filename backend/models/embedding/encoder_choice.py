"""Which encoder `auto` stands for on a machine; pure, so that a test can ask about any machine."""

from collections.abc import Callable
from dataclasses import dataclass

AUTO = "auto"
FIRST = "efficientnet_lite0"
"""The encoder of first answers on a CPU."""

SECOND = "efficientnet_lite2"
"""Joined to the first one for `precise`; both come as wheels, so neither needs a download."""

DINOV2 = (
    (8e9, "timm:vit_base_patch14_reg4_dinov2.lvd142m"),
    (0.0, "timm:vit_small_patch14_reg4_dinov2.lvd142m"),
)
"""Encoders for a GPU and the bytes of memory that it needs, the stronger one first."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the choice depends on.

    Attributes:
        device: the torch device.
        memory: bytes of the GPU's memory; 0 without a GPU.
        has_weights: whether the weights of an encoder are here or can be downloaded.
    """

    device: str
    memory: float
    has_weights: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """The name of an encoder; `shortfall` says why it is not the better one, if it is not."""

    backbone: str
    shortfall: str = ""


def choose(asked: str, machine: Machine, *, precise: bool) -> EncoderChoice:
    """Return what `asked` stands for; `precise` takes a slower encoder that needs fewer labels."""
    if asked != AUTO:
        return EncoderChoice(asked)
    if not machine.device.startswith("cuda"):
        return EncoderChoice(_on_cpu(machine, precise=precise))
    fitting = [name for memory, name in DINOV2 if machine.memory >= memory]
    there = next((name for name in fitting if machine.has_weights(name)), None)
    if there:
        return EncoderChoice(there)
    chosen = _on_cpu(machine, precise=precise)
    return EncoderChoice(
        chosen,
        f"{fitting[0]} would suit this GPU better than {chosen}, but its weights are neither on "
        "this machine nor can they be downloaded",
    )


def _on_cpu(machine: Machine, *, precise: bool) -> str:
    return f"{FIRST}+{SECOND}" if precise and machine.has_weights(SECOND) else FIRST
