"""What this machine offers to an encoder: device, memory, weights."""

from functools import partial

from backend.domain.errors import NoWeights
from backend.models.embedding.backbones import Backbone, backbones
from backend.models.embedding.encoder_choice import Machine
from backend.models.embedding.encoders import compute_device
from backend.models.published_weights import is_reachable
from backend.settings import Settings


def this_machine(settings: Settings) -> Machine:
    """Return the facts; imports torch only where there may be a GPU.

    Raises:
        BadInput: when the requested device does not exist.
    """
    device = compute_device(settings.device)
    return Machine(device, _memory(device), partial(_have_weights, settings))


def _memory(device: str) -> float:
    if not device.startswith("cuda"):
        return 0
    from backend.models.embedding.torch_encoder import gpu_memory  # noqa: PLC0415 - imports torch

    return gpu_memory(device)


def _have_weights(settings: Settings, name: str) -> bool:
    return all(_has_weights(one) for one in backbones(name, settings))


def _has_weights(chosen: Backbone) -> bool:
    """Look on this machine first; what can be downloaded is downloaded to be sure of it."""
    try:
        if chosen.file or chosen.downloaded():
            return True
        if not is_reachable(chosen.host):
            return False
        from backend.models.embedding.backbone_networks import load_network  # noqa: PLC0415 - imports torch

        load_network(chosen)
    except NoWeights:
        return False
    return True
