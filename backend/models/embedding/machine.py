"""What this machine offers to an encoder: device, memory, weights."""

from functools import partial

from backend.domain.errors import NoWeights
from backend.models.embedding.backbones import Backbone, backbones
from backend.models.embedding.encoder_choice import Machine
from backend.models.embedding.encoders import check, compute_device
from backend.settings import Settings


def this_machine(settings: Settings, *, download: bool = True) -> Machine:
    """Return the facts; imports torch only where there may be a GPU.

    With `download` weights count as there only once they have been loaded, else already when their
    host answers.

    Raises:
        BadInput: when the requested device does not exist.
    """
    device = compute_device(settings.device)
    return Machine(device, _memory(device), partial(_have_weights, settings, download))


def _memory(device: str) -> float:
    if not device.startswith("cuda"):
        return 0
    from backend.models.embedding.torch_encoder import gpu_memory  # noqa: PLC0415 - imports torch

    return gpu_memory(device)


def _have_weights(settings: Settings, download: bool, name: str) -> bool:
    parts = backbones(name, settings)
    try:
        for one in parts:
            check(one, settings.data_dir)
            if download and not (one.file or one.downloaded()):
                _load(one)
    except NoWeights:
        return False
    return True


def _load(chosen: Backbone) -> None:
    """Download the weights; a host that answers may still refuse them. Raises NoWeights."""
    from backend.models.embedding.backbone_networks import load_network  # noqa: PLC0415 - imports torch

    load_network(chosen)
