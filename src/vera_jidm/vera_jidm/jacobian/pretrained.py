# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Head `pretrained`: a vision transformer that has seen the world's pictures, read at four depths by a DPT-style decoder.

Backbone: DINOv2 [Oquab 2023] or DINOv3 [Simeoni 2025] from Hugging Face transformers, frozen or tuned. Decoder: tokens of four depths are
reassembled into a pyramid and fused from coarse to fine [DPT, Ranftl 2021]; the fusion is the U-Net's way up, so joints and view condition it.

A trained field holds the numbers of the backbone and its configuration: running it needs neither the folder it came from nor a download.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, Dinov2Backbone, Dinov2WithRegistersBackbone, DINOv3ViTBackbone, PreTrainedModel

from vera_core.errors import ModelContractError, nearest_name_hint
from vera_jidm.jacobian.backbone import UNetLayers, condition_input, condition_layers
from vera_jidm.jacobian.config import FieldConfig
from vera_jidm.jacobian.direct import DirectHead

FAMILIES: dict[str, type[PreTrainedModel]] = {
    'dinov2': Dinov2Backbone,
    'dinov2_with_registers': Dinov2WithRegistersBackbone,
    'dinov3_vit': DINOv3ViTBackbone,
}
"""Classes by the family a configuration names: transformers' AutoBackbone asks the model hub even for a folder."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
DEPTHS = 4


class PretrainedNetwork(UNetLayers):
    """Pictures, joints (optionally) and view numbers in; image Jacobian and trust per cell out.

    The picture is resized so that one patch covers 2x2 cells, whatever the patch size: 128 px at stride 4 become 16x16 patches.

    Args:
        config: Its `backbone_config` says how the transformer is built.
        weights: Load the backbone's own weights from `config.backbone`; without, they have to follow from a trained field.
        local_files_only: Never download a backbone.
    """

    mean: Tensor
    std: Tensor
    vision: PreTrainedModel

    def __init__(self, config: FieldConfig, *, weights: bool = True, local_files_only: bool = False) -> None:
        super().__init__()
        self.config = config
        self.view, self.condition = condition_layers(config)
        self.vision = (
            load_backbone(str(config.backbone), local_files_only=local_files_only)
            if weights
            else build_backbone(config.backbone_config or {})
        )
        self._frozen = config.freeze_backbone
        self.vision.requires_grad_(not self._frozen)
        rows, columns = config.grid
        patch, features = int(self.vision.config.patch_size), int(self.vision.config.hidden_size)
        self._seen = (rows // 2 * patch, columns // 2 * patch)
        self.register_buffer('mean', torch.tensor(IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer('std', torch.tensor(IMAGENET_STD)[:, None, None], persistent=False)
        c0, c1, c2, c3 = config.channels
        self.to0 = nn.ConvTranspose2d(features, c0, 2, stride=2)
        self.to1 = nn.Conv2d(features, c1, 1)
        self.to2 = nn.Conv2d(features, c2, 2, stride=2)
        self.to3 = nn.Conv2d(features, c3, 4, stride=4)
        self.add_decoder(config)
        self.head = DirectHead(config)
        self.train(self.training)

    def forward(self, picture: Tensor, position: Tensor, view: Tensor) -> tuple[Tensor, Tensor]:
        """Return image Jacobian (B, n, 2, h, w), px/rad, and trust logit (B, h, w); arguments as in FieldNetwork.forward."""
        condition = self.condition(condition_input(self.config, position, self.view(view)))
        fine, middle, coarse, deepest = self.tokens(picture)
        levels = self.to0(fine), self.to1(middle), self.to2(coarse), self.to3(deepest)
        jacobian, trust = self.head(self.decode(levels, condition))
        return jacobian, trust

    def tokens(self, picture: Tensor) -> tuple[Tensor, ...]:
        """Return the backbone's patch tokens at four depths, shallow first, each (B, features, h/2, w/2), for pictures (B, 3, H, W), 0..1."""
        pixels = F.interpolate((picture - self.mean) / self.std, size=self._seen, mode='bilinear', align_corners=False)
        with torch.no_grad() if self._frozen else contextlib.nullcontext():
            return tuple(self.vision(pixels).feature_maps)

    def train(self, mode: bool = True) -> PretrainedNetwork:
        """Switch the training behaviour; a frozen backbone keeps that of use."""
        super().train(mode)
        self.vision.train(mode and not self._frozen)
        return self


def read_backbone_config(name: str, *, local_files_only: bool = False) -> dict[str, Any]:
    """Return the configuration of a backbone by folder or model id.

    Raises:
        ModelContractError: If there is none, or it is not one of FAMILIES with at least four layers.
    """
    try:
        config = AutoConfig.from_pretrained(name, trust_remote_code=False, local_files_only=local_files_only)
    except (OSError, ValueError) as error:
        raise ModelContractError(f"backbone '{name}' cannot be read: {error}") from error
    document = dict(config.to_dict())
    document.pop('_name_or_path', None)
    _stages(document)
    return document


def load_backbone(name: str, *, local_files_only: bool = False) -> PreTrainedModel:
    """Return a backbone with its weights. Only safetensors files are read: nothing is unpickled, no code of a model is run.

    Raises:
        ModelContractError: If it is missing, unreadable, incomplete or only there as a pickle.
    """
    folder = Path(name)
    if folder.suffix in ('.bin', '.pt', '.pth', '.ckpt') or (folder.is_dir() and not list(folder.glob('*.safetensors'))):
        raise ModelContractError(
            f"backbone '{name}' has no safetensors file; pickled weights (.bin, .pt) can run code and are not loaded: save it with "
            'save_pretrained of a recent transformers'
        )
    document = read_backbone_config(name, local_files_only=local_files_only)
    try:
        loaded: Any = FAMILIES[document['model_type']].from_pretrained(
            name,
            out_indices=_stages(document),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=local_files_only,
            output_loading_info=True,
        )
    except Exception as error:  # Missing files, damaged files and wrong shapes are unrelated types in transformers and safetensors.
        raise ModelContractError(f"backbone '{name}' cannot be loaded: {error}") from error
    backbone, report = loaded
    missing = sorted(key for key in report['missing_keys'] if not key.endswith('mask_token'))
    if missing:
        raise ModelContractError(f"backbone '{name}' lacks {len(missing)} tensors, first {missing[0]}; it would be random there")
    return _for_use(backbone)


def build_backbone(document: Mapping[str, Any]) -> PreTrainedModel:
    """Return a backbone of a configuration, weights to follow.

    Raises:
        ModelContractError: If the configuration makes none.
    """
    stages = _stages(document)
    options = {name: value for name, value in document.items() if name not in ('model_type', 'out_features', 'out_indices', 'stage_names')}
    try:
        family = str(document['model_type'])
        return _for_use(FAMILIES[family](AutoConfig.for_model(family, **options, out_indices=stages)))
    except Exception as error:  # transformers, huggingface_hub and torch each have their own error for a value that does not fit
        raise ModelContractError(f'the configuration of the backbone makes none: {type(error).__name__}: {error}') from error


def _stages(document: Mapping[str, Any]) -> list[int]:
    """Return four depths, evenly spread, the last layer among them."""
    family, layers = str(document.get('model_type')), document.get('num_hidden_layers')
    if family not in FAMILIES:
        raise ModelContractError(f"backbone is of family '{family}'; {nearest_name_hint(family, FAMILIES)}")
    if not isinstance(layers, int) or layers < DEPTHS:
        raise ModelContractError(f'backbone has {layers} layers; at least {DEPTHS} are needed')
    return [round(layers * (depth + 1) / DEPTHS) for depth in range(DEPTHS)]


def _for_use(backbone: Any) -> PreTrainedModel:
    """Return the backbone in float32 and without the token that only its own training on masked pictures needs."""
    backbone.embeddings.mask_token = None
    used: PreTrainedModel = backbone.float()
    return used
