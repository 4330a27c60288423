# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a converted checkpoint says about itself: how it was trained, and where its frozen parts are."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from vera_core.errors import ModelContractError

PAGE = 'vera_planner.json'
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WanPage:
    """How the weights were trained. Always take the values of the checkpoint's own algo_config.yaml."""

    base: str
    """Folder or model id with vae, text_encoder, tokenizer and, for image models, image_encoder."""
    context_latents: int
    """N: up to 4 N - 3 context frames."""
    future_latents: int
    """M: 4 M planned frames."""
    tiles: int = 3
    """Views side by side; each is encoded on its own."""
    canvas: tuple[int, int] = (128, 576)
    """(H, W), px."""
    text_tokens: int = 512
    """Sentences are padded with zeros to this many tokens."""
    uses_text: bool = True
    """False: trained with a zero text embedding; sentences are ignored."""
    steps: int = 40
    shift: float = 3.0
    """Of the noise levels: s -> shift s / (1 + (shift - 1) s)."""
    guidance: float = 3.0
    history_guidance: float = 2.0


def write_page(folder: Path, page: WanPage) -> None:
    """Write the page into a folder."""
    text = json.dumps({'format': FORMAT, **dataclasses.asdict(page)}, indent=1)
    (folder / PAGE).write_text(text + '\n', encoding='utf-8')


def read_page(folder: Path) -> WanPage:
    """Return the page of a folder.

    Raises:
        ModelContractError: If it cannot be read, has another format, lacks a value or holds one that cannot be.
    """
    path = folder / PAGE
    try:
        entries = json.loads(path.read_text(encoding='utf-8'))
        if entries.pop('format') != FORMAT:
            raise ModelContractError(
                f"'{path}' has another format than {FORMAT}; convert the checkpoint again with: python -m vera_planner.vera_wan.convert"
            )
        height, width = entries.get('canvas', (128, 576))
        entries['canvas'] = (height, width)
        page = WanPage(**entries)
        lowest = min(page.context_latents, page.future_latents, page.tiles, page.text_tokens, page.steps, *page.canvas)
        if lowest < 1 or not page.shift > 0:
            raise ModelContractError(f"'{path}' holds {page}; counts must be at least 1 and shift more than 0")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ModelContractError):
            raise
        raise ModelContractError(f"'{path}' cannot be used ({type(error).__name__}: {error}); convert the checkpoint again") from error
    return page
