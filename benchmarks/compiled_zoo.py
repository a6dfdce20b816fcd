"""Models of torchvision, timm and transformers with random weights, for compiled_models.py."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

Library = Literal["torchvision", "timm", "transformers"]
SEED = 0


class Made(NamedTuple):
    model: nn.Module
    inputs: Mapping[str, Tensor]
    """By the names of the parameters of forward()."""


def image(size: int, name: str = "x") -> Mapping[str, Tensor]:
    return {name: torch.randn(1, 3, size, size)}


def video() -> Mapping[str, Tensor]:
    return {"x": torch.randn(1, 3, 8, 112, 112)}


def pixels(size: int = 224) -> Mapping[str, Tensor]:
    return {"pixel_values": torch.randn(1, 3, size, size)}


def tokens(length: int = 128) -> Mapping[str, Tensor]:
    return {"input_ids": torch.randint(0, 1000, (1, length))}


def masked(length: int = 128) -> Mapping[str, Tensor]:
    """A sentence with as many tokens of padding as it has words."""
    mask = (torch.arange(length) < length // 2).long()[None]
    return {**tokens(length), "attention_mask": mask}


def translation() -> Mapping[str, Tensor]:
    return {**tokens(64), "decoder_input_ids": torch.randint(0, 1000, (1, 32))}


def caption() -> Mapping[str, Tensor]:
    return {**tokens(16), **pixels()}


def sound() -> Mapping[str, Tensor]:
    return {"input_values": torch.randn(1, 16000)}


def speech() -> Mapping[str, Tensor]:
    return {
        "input_features": torch.randn(1, 80, 3000),
        "decoder_input_ids": torch.randint(0, 1000, (1, 16)),
    }


@dataclass(frozen=True)
class Entry:
    """A model: what makes it, with which options, and its inputs."""

    library: Library
    family: str
    maker: str
    """A function of torchvision's, a name of timm's, or a class of transformers'."""
    inputs: Callable[[], Mapping[str, Tensor]]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _convolutional(library: Library, size: int, **families: str) -> dict[str, Entry]:
    return {
        name: Entry(library, family, name, partial(image, size))
        for family, names in families.items()
        for name in names.split()
    }


_SMALL: Mapping[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 1376,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "vocab_size": 8000,
}
"""A decoder of our own size: the smallest that was published has a billion weights."""


def _transformer(
    family: str, maker: str, inputs: Callable[[], Mapping[str, Tensor]], **options: Any
) -> Entry:
    return Entry("transformers", family, maker, inputs, options)


ENTRIES: Mapping[str, Entry] = {
    **_convolutional(
        "torchvision",
        224,
        squeezenet="squeezenet1_1",
        googlenet="googlenet",
        resnet="resnet18 resnet50 resnext50_32x4d densenet121 regnet_y_400mf",
        mobile="mobilenet_v2 mobilenet_v3_large mnasnet1_0 shufflenet_v2_x1_0 efficientnet_b0",
        convnext="convnext_tiny",
        vit="vit_b_16 swin_t swin_v2_t maxvit_t",
    ),
    **_convolutional("torchvision", 299, inception="inception_v3"),
    "fcn_resnet50": Entry("torchvision", "segmentation", "fcn_resnet50", partial(image, 224)),
    "lraspp": Entry(
        "torchvision", "segmentation", "lraspp_mobilenet_v3_large", partial(image, 224, "input")
    ),
    "r3d_18": Entry("torchvision", "video", "r3d_18", video),
    **_convolutional(
        "timm",
        224,
        resnet="seresnet50 resnetv2_50 repvgg_a0 dla34 dpn68 cspresnet50 hrnet_w18_small",
        mobile="ghostnet_100 mobilenetv4_conv_small tf_efficientnetv2_b0 tinynet_a",
        convnext="convnextv2_atto poolformer_s12 edgenext_xx_small",
        normalised="eca_nfnet_l0",
        mixer="mixer_s32_224 resmlp_12_224 gmlp_s16_224",
        vit="vit_small_patch16_224 deit_tiny_patch16_224 cait_xxs24_224 xcit_nano_12_p16_224 "
        "levit_128s pvt_v2_b0 coat_lite_tiny twins_svt_small",
    ),
    **_convolutional("timm", 256, vit="mobilevit_s"),
    **_convolutional("timm", 299, inception="inception_v4"),
    "bert": _transformer("bert", "BertModel", masked),
    "bert, classified": _transformer("bert", "BertForSequenceClassification", tokens),
    "distilbert": _transformer("bert", "DistilBertModel", masked),
    "roberta": _transformer("bert", "RobertaModel", masked),
    "albert": _transformer(
        "bert", "AlbertModel", tokens, hidden_size=768, num_attention_heads=12,
        intermediate_size=3072,
    ),
    "electra": _transformer("bert", "ElectraModel", masked),
    "mobilebert": _transformer("bert", "MobileBertModel", tokens),
    "deberta-v2": _transformer(
        "bert", "DebertaV2Model", masked, hidden_size=768, num_hidden_layers=6,
        num_attention_heads=12, intermediate_size=3072, relative_attention=True,
        pos_att_type=["p2c", "c2p"],
    ),
    "gpt2": _transformer("gpt2", "GPT2LMHeadModel", tokens),
    "opt": _transformer("gpt2", "OPTForCausalLM", tokens),
    "gpt-neox": _transformer(
        "gpt2", "GPTNeoXForCausalLM", tokens,
        **{k: v for k, v in _SMALL.items() if k != "num_key_value_heads"},
    ),
    "llama": _transformer("llama", "LlamaForCausalLM", tokens, **_SMALL),
    "qwen2": _transformer("llama", "Qwen2ForCausalLM", masked, **_SMALL),
    "mixtral": _transformer(
        "llama", "MixtralForCausalLM", tokens, **_SMALL, num_local_experts=4
    ),
    "t5": _transformer("t5", "T5ForConditionalGeneration", translation),
    "bart": _transformer(
        "t5", "BartModel", translation, encoder_layers=6, decoder_layers=6, d_model=768
    ),
    "whisper": _transformer("speech", "WhisperModel", speech),
    "wav2vec2": _transformer("speech", "Wav2Vec2Model", sound),
    "clip": _transformer("vit", "CLIPModel", caption),
    "segformer": _transformer("vit", "SegformerModel", pixels),
    "mamba": _transformer(
        "mamba", "MambaModel", partial(tokens, 32), hidden_size=256, num_hidden_layers=4,
        vocab_size=8000,
    ),
}  # fmt: skip


def make(name: str) -> Made:
    """A model to infer with, and inputs of batch 1. The same each time."""
    torch.manual_seed(SEED)
    entry = ENTRIES[name]
    model = _MAKERS[entry.library](entry).eval()
    _vary(model)
    return Made(model, entry.inputs())


def _of_torchvision(entry: Entry) -> nn.Module:
    models = importlib.import_module("torchvision.models")
    nothing = {"weights": None, "weights_backbone": None}
    only = nothing if entry.family == "segmentation" else {"weights": None}
    without = {"init_weights": False} if entry.maker in ("googlenet", "inception_v3") else {}
    return models.get_model(entry.maker, **only, **without, **entry.options)


def _of_timm(entry: Entry) -> nn.Module:
    return importlib.import_module("timm").create_model(entry.maker, pretrained=False)


def _of_transformers(entry: Entry) -> nn.Module:
    maker = getattr(importlib.import_module("transformers"), entry.maker)
    return maker(maker.config_class(**entry.options))


_MAKERS: Mapping[Library, Callable[[Entry], nn.Module]] = {
    "torchvision": _of_torchvision,
    "timm": _of_timm,
    "transformers": _of_transformers,
}


@torch.no_grad()
def _vary(model: nn.Module) -> None:
    """Makes random what starts as a constant: a normalisation that changes nothing, and a branch
    or a head that starts as zero, would hide what is computed before it."""
    for name, x in [*model.named_parameters(), *model.named_buffers()]:
        if not x.is_floating_point() or x.numel() < 2 or not bool((x == x.flatten()[0]).all()):
            continue
        if x.ndim > 1:
            x.normal_(std=0.02)
        elif name.endswith(("weight", "running_var")):
            x.uniform_(0.5, 1.5)
        else:
            x.normal_(std=0.1)
