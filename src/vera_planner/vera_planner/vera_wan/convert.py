# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m vera_planner.vera_wan.convert CHECKPOINT OUT --base ...`: a released checkpoint becomes a folder the diffusers planner loads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vera_core.errors import ModelContractError, VeraError
from vera_planner.backends.diffusers_loading import import_diffusers
from vera_planner.vera_wan.checkpoint import open_checkpoint
from vera_planner.vera_wan.page import WanPage, write_page

HEAD_WIDTH = 128
"""Channels of one attention head in every released size."""


def convert_checkpoint(checkpoint: Path, out: Path, page: WanPage, *, head_width: int = HEAD_WIDTH) -> None:
    """Write `out/transformer` (safetensors) and the page.

    Raises:
        ModelContractError: If the checkpoint cannot be read or is no Wan transformer; the text names what is missing or too much.
        ConfigError: If diffusers is missing.
    """
    diffusers = import_diffusers()
    from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers

    with open_checkpoint(checkpoint) as tensors, torch.device('meta'):
        try:
            network = diffusers.WanTransformer3DModel(**transformer_config(tensors, head_width))
        except KeyError as error:
            raise ModelContractError(f"'{checkpoint}' is no Wan transformer: it has no tensor {error}") from error
        renamed = convert_wan_transformer_to_diffusers(dict(tensors))  # type: ignore[no-untyped-call]
        try:
            network.load_state_dict(renamed, strict=True, assign=True)
        except RuntimeError as error:
            raise ModelContractError(f"'{checkpoint}' does not fit diffusers' Wan transformer: {str(error)[:600]}") from error
        out.mkdir(parents=True, exist_ok=True)
        network.save_pretrained(out / 'transformer', safe_serialization=True, max_shard_size='4GB')
    write_page(out, page)


def transformer_config(tensors: Mapping[str, Tensor], head_width: int) -> dict[str, Any]:
    """Return the sizes of a Wan transformer, read off its tensors in the published naming.

    Raises:
        KeyError: If a tensor is missing.
    """
    width, channels = tensors['patch_embedding.weight'].shape[:2]
    patch = tuple(tensors['patch_embedding.weight'].shape[2:])
    config: dict[str, Any] = {
        'patch_size': patch,
        'num_attention_heads': width // head_width,
        'attention_head_dim': head_width,
        'in_channels': channels,
        'out_channels': tensors['head.head.weight'].shape[0] // (patch[0] * patch[1] * patch[2]),
        'text_dim': tensors['text_embedding.0.weight'].shape[1],
        'freq_dim': tensors['time_embedding.0.weight'].shape[1],
        'ffn_dim': tensors['blocks.0.ffn.0.weight'].shape[0],
        'num_layers': 1 + max(int(name.split('.')[1]) for name in tensors if name.startswith('blocks.')),
        'cross_attn_norm': 'blocks.0.norm3.weight' in tensors,
    }
    if 'img_emb.proj.1.weight' in tensors:
        config |= {'image_dim': tensors['img_emb.proj.1.weight'].shape[1], 'added_kv_proj_dim': width}
    return config


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert one checkpoint; returns the exit code."""
    parser = argparse.ArgumentParser(prog='python -m vera_planner.vera_wan.convert', description=__doc__)
    parser.add_argument('checkpoint', type=Path, help='video_model.ckpt of a release')
    parser.add_argument('out', type=Path, help='folder to write')
    parser.add_argument('--base', required=True, help='folder or model id of the Wan 2.1 it was trained from, in the Diffusers layout')
    parser.add_argument('--context-latents', type=int, required=True, help='N of the algo_config.yaml beside the checkpoint')
    parser.add_argument('--future-latents', type=int, required=True, help='M')
    parser.add_argument('--tiles', type=int, default=3, help='views side by side')
    parser.add_argument('--canvas', type=int, nargs=2, default=(128, 576), metavar=('H', 'W'), help='px')
    parser.add_argument('--without-text', action='store_true', help='trained with a zero text embedding (the MimicGen release)')
    given = parser.parse_args(arguments)
    page = WanPage(
        base=given.base,
        context_latents=given.context_latents,
        future_latents=given.future_latents,
        tiles=given.tiles,
        canvas=(given.canvas[0], given.canvas[1]),
        uses_text=not given.without_text,
    )
    try:
        convert_checkpoint(given.checkpoint, given.out, page)
    except VeraError as error:
        print(f'{type(error).__name__}: {error}', file=sys.stderr)
        return 2
    print(f"wrote {given.out}; use it with: planner backend diffusers, model '{given.out}'")
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
