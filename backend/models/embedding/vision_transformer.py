"""The DINOv2 vision transformer (Oquab et al. 2023, https://arxiv.org/abs/2304.07193).

Parameters carry the names of the published checkpoints, so these load as they are, and no code
is fetched to run them.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH = 14


class LayerScale(nn.Module):
    """A learned factor for each channel of a residual branch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.gamma


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, length, width = tokens.shape
        split = self.qkv(tokens).reshape(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(mixed.transpose(1, 2).reshape(batch, length, width))


class Mlp(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens)))


class Block(nn.Module):
    """Attention and MLP, each normalised before and scaled after."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Mlp(width)
        self.ls2 = LayerScale(width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.ls1(self.attn(self.norm1(tokens)))
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))


class PatchEmbedding(nn.Module):
    """Square patches to tokens (n, patches, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=PATCH, stride=PATCH)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)


class DinoV2(nn.Module):
    """Images (n, 3, side, side) to their class tokens (n, width)."""

    def __init__(self, width: int, heads: int, depth: int = 12, side: int = 224) -> None:
        super().__init__()
        self.grid = side // PATCH
        self.patch_embed = PatchEmbedding(width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid**2, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embed(images)
        start = self.cls_token.expand(patches.shape[0], -1, -1)
        tokens = torch.cat((start, patches), dim=1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 0]

    def load(self, published: Mapping[str, Tensor]) -> None:
        """Take a checkpoint trained at 518 pixels. Raises KeyError, RuntimeError if another's."""
        state = {name: value for name, value in published.items() if name != "mask_token"}
        state["pos_embed"] = self._fitted(published["pos_embed"])
        self.load_state_dict(state)

    def _fitted(self, positions: Tensor) -> Tensor:
        """Position embeddings resampled to our grid, with the offset of the original code."""
        start, patches = positions[:, :1], positions[:, 1:]
        side = round(patches.shape[1] ** 0.5)
        if side == self.grid:
            return positions
        square = patches.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        scale = (self.grid + 0.1) / side
        resampled = functional.interpolate(square, scale_factor=(scale, scale), mode="bicubic")
        return torch.cat((start, resampled.permute(0, 2, 3, 1).flatten(1, 2)), dim=1)
