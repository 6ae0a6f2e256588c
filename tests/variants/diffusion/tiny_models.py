"""The real models' architectures with a few thousand random weights, saved as the real ones are."""

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLQwenImage,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxKontextPipeline,
    FluxPipeline,
    FluxTransformer2DModel,
    QwenImageEditPipeline,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    StableDiffusionInstructPix2PixPipeline,
    UNet2DConditionModel,
)
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
WORDS = [
    "warm",
    "the",
    "light",
    "a",
    "little",
    "and",
    "lift",
    "shadows",
    "of",
    "this",
    "photo",
    "cool",
    "colours",
    "more",
    "contrast",
    "less",
    "saturation",
    "deepen",
    "sky",
    "keep",
    "skin",
    "tones",
    "natural",
    "soften",
    "highlights",
    "USER",
    "ASSISTANT",
    ":",
    ".",
    ",",
]
VISION_TOKENS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
CHAT = (
    "{% for message in messages %}USER : {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}{% endfor %}{% endfor %}ASSISTANT :"
)


def save_flux(folder):
    return _save(FluxPipeline(**_flux_parts(image_encoder=None, feature_extractor=None)), folder)


def save_kontext(folder):
    return _save(FluxKontextPipeline(**_flux_parts()), folder)


def save_pix2pix(folder):
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        in_channels=8,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    pipeline = StableDiffusionInstructPix2PixPipeline(
        vae=_vae(channels=4, blocks=(8, 8), quant=True),
        text_encoder=_clip(),
        tokenizer=_clip_tokenizer(),
        unet=unet,
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return _save(pipeline, folder)


def save_qwen(folder):
    return _save(QwenImagePipeline(**_qwen_parts()), folder)


def save_qwen_edit(folder):
    parts = _qwen_parts()
    pixels = {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessorPil(patch_size=14, merge_size=2, size=pixels),
        tokenizer=parts["tokenizer"],
        video_processor=Qwen2VLVideoProcessor(),
    )
    return _save(QwenImageEditPipeline(processor=processor, **parts), folder)


def save_llava(folder):
    """Its tokens are WORDS: whatever random weights say reads like an instruction."""
    torch.manual_seed(0)
    special = ["<pad>", "<s>", "</s>", "<unk>", "<image>"]
    vocabulary = {word: n for n, word in enumerate([*special, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=28,
            patch_size=14,
        ),
        text_config=LlamaConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            vocab_size=len(vocabulary),
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        ),
        image_token_index=vocabulary["<image>"],
        image_seq_length=4,
    )
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
        ),
        tokenizer=tokenizer,
        patch_size=14,
        num_additional_image_tokens=1,
        vision_feature_select_strategy="default",
        chat_template=CHAT,
    )
    model = LlavaForConditionalGeneration(config)
    # What comes out is spread over the words, not over one.
    torch.nn.init.normal_(model.lm_head.weight, std=2.0)
    torch.nn.init.zeros_(model.lm_head.weight[: len(special)].detach())
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def _save(pipeline, folder):
    pipeline.save_pretrained(folder)
    return str(folder)


def _flux_parts(**others):
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        pooled_projection_dim=16,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    t5 = T5Config(vocab_size=64, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "text_encoder": _clip(),
        "text_encoder_2": T5EncoderModel(t5),
        "tokenizer": _clip_tokenizer(),
        "tokenizer_2": T5Tokenizer(
            vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
            + [(chr(letter), -3.0) for letter in range(97, 123)],
            extra_ids=0,
        ),
        "transformer": transformer,
        "vae": _vae(channels=1, blocks=(4, 4), shift_factor=0.1, scaling_factor=0.4),
    } | others


def _qwen_parts():
    torch.manual_seed(0)
    tokens = [*BYTES, "<|endoftext|>", *VISION_TOKENS]
    vocabulary = {token: n for n, token in enumerate(tokens)}
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "vocab_size": len(tokens),
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
            "fullatt_block_indexes": [0],
        },
        image_token_id=vocabulary["<|image_pad|>"],
        video_token_id=vocabulary["<|video_pad|>"],
        vision_start_token_id=vocabulary["<|vision_start|>"],
        vision_end_token_id=vocabulary["<|vision_end|>"],
    )
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "text_encoder": Qwen2_5_VLForConditionalGeneration(config),
        "tokenizer": Qwen2Tokenizer(vocab=vocabulary, merges=[], extra_special_tokens=VISION_TOKENS),
        "transformer": QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=16,
            out_channels=4,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=1,
            joint_attention_dim=16,
            axes_dims_rope=(8, 4, 4),
        ),
        # Six halvings instead of three: at the one megapixel that the pipeline insists on, 64 times fewer tokens.
        "vae": AutoencoderKLQwenImage(
            base_dim=4,
            z_dim=4,
            dim_mult=[1, 1, 1, 1, 1, 1, 1],
            num_res_blocks=0,
            temperal_downsample=[False] * 6,
            latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
    }


def _vae(channels, blocks, quant=False, **fields):
    return AutoencoderKL(
        block_out_channels=blocks,
        down_block_types=("DownEncoderBlock2D",) * len(blocks),
        up_block_types=("UpDecoderBlock2D",) * len(blocks),
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=1,
        use_quant_conv=quant,
        use_post_quant_conv=quant,
        **fields,
    )


def _clip():
    return CLIPTextModel(
        CLIPTextConfig(
            hidden_size=16,
            intermediate_size=16,
            num_attention_heads=2,
            num_hidden_layers=1,
            vocab_size=2 * len(BYTES) + 2,
            bos_token_id=2 * len(BYTES),
            eos_token_id=2 * len(BYTES) + 1,
        )
    )


def _clip_tokenizer():
    tokens = [*BYTES, *(f"{byte}</w>" for byte in BYTES), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: n for n, token in enumerate(tokens)}, merges=[], model_max_length=77)


def save_clip(folder):
    """Pictures and words in one space; WORDS has no part in it, the tokens are bytes."""
    torch.manual_seed(0)
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    config = CLIPConfig(
        text_config=_clip().config.to_dict(),
        vision_config=vision | {"image_size": 32, "patch_size": 8},
        projection_dim=8,
    )
    CLIPModel(config).save_pretrained(folder)
    sizes = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    CLIPProcessor(CLIPImageProcessorPil(**sizes), _clip_tokenizer()).save_pretrained(folder)
    return str(folder)
