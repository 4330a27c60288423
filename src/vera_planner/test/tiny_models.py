# SPDX-FileCopyrightText: 2026 VERA for ROS 2 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tiny random models with the parts of the real ones, saved as folders without any download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = ['<pad>', '</s>', '<unk>', '▁', *'abcdefghijklmnopqrstuvwxyz0123456789.,!?-']
    core = Tokenizer(models.Unigram([(piece, -1.0) for piece in alphabet], unk_id=2))
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.post_processor = processors.TemplateProcessing(single='$A </s>', special_tokens=[('</s>', 1)])
    return PreTrainedTokenizerFast(tokenizer_object=core, pad_token='<pad>', eos_token='</s>', unk_token='<unk>')


def umt5(width: int = 32) -> Any:
    from transformers import UMT5Config, UMT5EncoderModel

    torch.manual_seed(1)
    return UMT5EncoderModel(UMT5Config(vocab_size=64, d_model=width, d_kv=8, d_ff=37, num_layers=2, num_heads=4)).eval()


def clip_vision(width: int = 32) -> Any:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(2)
    config = CLIPVisionConfig(
        hidden_size=width, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4, image_size=32, patch_size=16
    )
    return CLIPVisionModel(config).eval()


def wan_vae(z: int = 16, **changes: Any) -> Any:
    from diffusers import AutoencoderKLWan

    torch.manual_seed(3)
    return AutoencoderKLWan(
        base_dim=3, z_dim=z, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True], **changes
    ).eval()


def wan_transformer(channels: int = 16, out: int = 16, **changes: Any) -> Any:
    from diffusers import WanTransformer3DModel

    torch.manual_seed(4)
    return WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=channels, out_channels=out, text_dim=32, freq_dim=256, ffn_dim=32,
        num_layers=2, cross_attn_norm=True, **changes,
    ).eval()  # fmt: skip


def unipc() -> Any:
    from diffusers import UniPCMultistepScheduler

    return UniPCMultistepScheduler(prediction_type='flow_prediction', use_flow_sigmas=True, flow_shift=3.0)


def save_wan_t2v(folder: Path) -> Path:
    """Wan 2.1 text to video."""
    from diffusers import WanPipeline

    WanPipeline(
        transformer=wan_transformer(), vae=wan_vae(), scheduler=unipc(), text_encoder=umt5(), tokenizer=tokenizer()
    ).save_pretrained(folder)
    return folder


def save_wan_i2v(folder: Path) -> Path:
    """Wan 2.1 image to video."""
    from diffusers import WanImageToVideoPipeline
    from transformers import CLIPImageProcessor

    WanImageToVideoPipeline(
        transformer=wan_transformer(36, image_dim=32, added_kv_proj_dim=24), vae=wan_vae(), scheduler=unipc(), text_encoder=umt5(), tokenizer=tokenizer(),
        image_encoder=clip_vision(), image_processor=CLIPImageProcessor(size={'shortest_edge': 32}, crop_size=32),
    ).save_pretrained(folder)  # fmt: skip
    return folder


def save_wan_ti2v(folder: Path) -> Path:
    """Wan 2.2 text and image to video, the 5B kind: noise levels per token, no image encoder."""
    from diffusers import WanImageToVideoPipeline

    vae = wan_vae(
        48,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        is_residual=True,
        scale_factor_spatial=16,
        latents_mean=[0.0] * 48,
        latents_std=[1.0] * 48,
    )
    WanImageToVideoPipeline(
        transformer=wan_transformer(48, 48), vae=vae, scheduler=unipc(), text_encoder=umt5(), tokenizer=tokenizer(), image_encoder=None,
        image_processor=None, expand_timesteps=True,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def save_ltx(folder: Path) -> Path:
    """LTX with video condition."""
    from diffusers import AutoencoderKLLTXVideo, FlowMatchEulerDiscreteScheduler, LTXConditionPipeline, LTXVideoTransformer3DModel
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(5)
    transformer = LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, patch_size=1, patch_size_t=1, num_attention_heads=4, attention_head_dim=8, cross_attention_dim=32, num_layers=1,
        caption_channels=32,
    )  # fmt: skip
    vae = AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(8, 8, 8, 8), decoder_block_out_channels=(8, 8, 8, 8), layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1), spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False), decoder_inject_noise=(False, False, False, False, False),
        upsample_residual=(False, False, False, False), upsample_factor=(1, 1, 1, 1), timestep_conditioning=False, patch_size=1, patch_size_t=1,
        encoder_causal=True, decoder_causal=False,
    )  # fmt: skip
    text = T5EncoderModel(T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4))
    LTXConditionPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=text.eval(), tokenizer=tokenizer(), transformer=transformer
    ).save_pretrained(folder)
    return folder


def save_wan_base(folder: Path, *, image: bool) -> Path:
    """The frozen parts a converted VERA checkpoint is sampled with."""
    umt5().save_pretrained(folder / 'text_encoder')
    tokenizer().save_pretrained(folder / 'tokenizer')
    wan_vae().save_pretrained(folder / 'vae')
    if image:
        clip_vision().save_pretrained(folder / 'image_encoder')
    return folder
