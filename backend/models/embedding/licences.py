"""Licences of published weights that restrict what they may be used for.

timm states the licence of each model, but takes seconds to import, and `doctor` needs an answer at
once. A test compares this table with timm's.
"""

import re
from typing import Final

_NO_COMMERCIAL_USE = "which forbids commercial use"

_RESTRICTED: Final = (
    (r"apple_mclip|^fastvit_mci\d$|^vit_base_mci_224$", f"apple-amlr, {_NO_COMMERCIAL_USE}"),
    (r"\.eupe_", f"FAIR's research license, {_NO_COMMERCIAL_USE}"),
    (r"dinov3", "Meta's DINOv3 license: access on request, and terms of its own"),
    (r"\.seer|^regnety_(640|2560)$", f"Meta's SEER license, {_NO_COMMERCIAL_USE}"),
    (
        r"^convnextv2_|^hiera_\w+_224$|\.mae|\.metaclip|_ijepa|\.swag_|\.fb_\w*sw?sl_|\.fb_wsl_"
        r"|^regnety_1280$|^vit_(giant_patch16|huge_patch1[46])_gap_(224|448)$"
        r"|^resnext101_32x(4|16|32)d$|^vit_(base_patch16|gigantic_patch14)_clip_quickgelu_224$"
        r"|^vit_gigantic_patch14_clip_378$",
        f"CC-BY-NC-4.0, {_NO_COMMERCIAL_USE}",
    ),
)
"""Patterns of timm's names, with or without their tag, and the licence of the weights."""


def restriction(name: str) -> str:
    """Return the licence of an encoder's published weights where it restricts their use, else ''.

    `name` is that of `AUTOLABEL_BACKBONE`. All others are under Apache-2.0, MIT, BSD or another
    licence that allows commercial use, or do not say.
    """
    kind, _, model = name.rpartition(":")
    if kind != "timm":
        return ""
    return next((licence for words, licence in _RESTRICTED if re.search(words, model)), "")
