"""Makes a ViT-B/32 of true size for tools/bench: random weights by open_clip, in every format. bench_models.py FOLDER"""
import pathlib
import sys

import numpy as np
import torch

import tiny_models  # noqa: F401  makes torchvision importable
import dialects

import gguf
import open_clip
import safetensors.torch


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    state = open_clip.create_model("ViT-B-32").state_dict()
    for name, tensor in state.items():
        if tensor.numel() > 1 and tensor.eq(tensor.flatten()[0]).all():
            tensor.copy_(torch.randn_like(tensor) * 0.02)  # biases, too, shall not be all zeros
    torch.save(state, folder / "f32.pt")
    safetensors.torch.save_file(state, folder / "f32.safetensors")
    half = {name: tensor.half() for name, tensor in state.items()}
    safetensors.torch.save_file(half, folder / "f16.safetensors")
    writer = gguf.GGUFWriter(folder / "f32.gguf", "clip")
    for key, value in (("has_text_encoder", True), ("has_vision_encoder", True), ("use_gelu", True)):
        writer.add_bool(f"clip.{key}", value)
    numbers = {"text": (512, 2048, 12, 8), "vision": (768, 3072, 12, 12)}
    keys = ("embedding_length", "feed_forward_length", "block_count", "attention.head_count")
    for tower, values in numbers.items():
        for key, value in zip((*keys, "projection_dim"), (*values, 512)):
            writer.add_uint32(f"clip.{tower}.{key}", value)
        writer.add_float32(f"clip.{tower}.attention.layer_norm_epsilon", 1e-5)
    writer.add_uint32("clip.text.context_length", 77)
    writer.add_uint32("clip.vision.image_size", 224)
    writer.add_uint32("clip.vision.patch_size", 32)
    writer.add_array("clip.vision.image_mean", tiny_models.CLIP_PREPROCESSING["mean"])
    writer.add_array("clip.vision.image_std", tiny_models.CLIP_PREPROCESSING["std"])
    for name, array in dialects.clip_to_hugging_face({k: v.numpy() for k, v in state.items()}).items():
        if name != "logit_scale":
            writer.add_tensor(dialects.clip_cpp_name(name), np.ascontiguousarray(array))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    (folder / "complete").touch()


if __name__ == "__main__":
    main()
