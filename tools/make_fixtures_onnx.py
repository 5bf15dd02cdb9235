"""Makes Fixtures/onnx: tiny models as PyTorch's two exporters and ONNX Runtime's quantizer write them.

    .build/python-peers/bin/python tools/make_fixtures_onnx.py

`NAME.safetensors` is the model that was exported, the other files of that name are its exports. Exported like that:
`both` and `visual`/`text` of open_clip as immich and others do (a wrapper around encode_image and encode_text), the
whole of transformers' CLIPModel as Optimum does, its towers as transformers.js' scripts do.
"""
import logging
import pathlib
import shutil
import tempfile
import warnings

import numpy as np
import torch

import tiny_models as tiny

import onnx
import safetensors.torch
import timm
import transformers
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures/onnx"
SEED = 50
CONTEXT, VOCABULARY, SIZE = 8, 32, 8

TEXT = {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": 16, "heads": 2, "layers": 1}
VIT = {"embed_dim": 12, "text_cfg": TEXT,
       "vision_cfg": {"image_size": SIZE, "layers": 1, "width": 16, "head_width": 8, "patch_size": 4, "mlp_ratio": 2}}
RESNET = {"embed_dim": 12, "quick_gelu": True, "text_cfg": TEXT,
          "vision_cfg": {"image_size": 32, "layers": [1, 2, 1, 1], "width": 2, "head_width": 32}}
SIGLIP = {**tiny.SIGLIP, "embed_dim": 16,
          "vision_cfg": {**tiny.SIGLIP["vision_cfg"], "image_size": SIZE, "timm_model_name": "vit_onnx_siglip"},
          "text_cfg": {**tiny.SIGLIP["text_cfg"], "context_length": CONTEXT, "vocab_size": VOCABULARY,
                       "layers": 1}}
TOWER = {"hidden_size": 16, "projection_dim": 12, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}


@timm.models.register_model
def vit_onnx_siglip(pretrained=False, **options):
    return tiny._vit(options, global_pool="map", img_size=SIZE, embed_dim=16, depth=1)


class Encoder(torch.nn.Module):
    """One encoder of open_clip, or both, as a graph's forward."""

    def __init__(self, model, kind):
        super().__init__()
        self.model, self.kind = model, kind

    def forward(self, *inputs):
        if self.kind == "visual":
            return self.model.encode_image(inputs[0], normalize=True)
        if self.kind == "text":
            return self.model.encode_text(inputs[0], normalize=True)
        image, text = self.model.encode_image(inputs[0], normalize=True), self.model.encode_text(inputs[1], normalize=True)
        return self.model.logit_scale.exp() * image @ text.T, image, text


def hugging_face(model, inputs, outputs):
    """transformers' model with a forward of tensors; modules keep their names without a wrapper's."""
    forward = model.forward

    def plain(*values):
        result = forward(**dict(zip(inputs, values)))
        return tuple(result[name] for name in outputs)

    model.forward = plain
    return model


def slim(path):
    """Without what names files of the machine; scopes are what a reader can use."""
    model = onnx.load(path)
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    for holder in (model, model.graph):
        del holder.metadata_props[:]
    del model.graph.value_info[:]
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    onnx.save(model, path)


def export(model, values, name, takes_one=False):
    """Both exporters' files; a forward takes any number of inputs, or one."""
    shapes = tuple({0: torch.export.Dim.DYNAMIC} for _ in values)
    names = [f"input_{index}" for index in range(len(values))]
    with torch.no_grad():
        torch.onnx.export(
            model, values, str(ROOT / f"{name}.torchscript.onnx"), dynamo=False, opset_version=17, input_names=names,
            dynamic_axes={name: {0: "batch"} for name in names})
        torch.onnx.export(
            model, values, str(ROOT / f"{name}.dynamo.onnx"), dynamo=True, external_data=False, verbose=False,
            input_names=names, dynamic_shapes=shapes if takes_one else (shapes,))
    for kind in ("torchscript", "dynamo"):
        slim(ROOT / f"{name}.{kind}.onnx")


def quantize(name, per_channels=(False, True)):
    for per_channel in per_channels:
        target = ROOT / f"{name.removesuffix('.torchscript')}.int8{'-channels' if per_channel else ''}.onnx"
        quantize_dynamic(ROOT / f"{name}.onnx", target, per_channel=per_channel,
                         weight_type=QuantType.QInt8 if per_channel else QuantType.QUInt8)


class Pictures(CalibrationDataReader):
    """What a static quantizer measures activations with."""

    def __init__(self):
        random = np.random.Generator(np.random.PCG64(SEED))
        self.pictures = iter(random.standard_normal((4, 2, 3, SIZE, SIZE)).astype(np.float32))

    def get_next(self):
        picture = next(self.pictures, None)
        return None if picture is None else {"input_0": picture}


def quantize_pictures(name):
    """Activations and weights between QuantizeLinear and DequantizeLinear."""
    quantize_static(ROOT / f"{name}.torchscript.onnx", ROOT / f"{name}.qdq.onnx", Pictures(),
                    quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def save(model, name):
    state = {key: value.contiguous() for key, value in model.state_dict().items() if not key.endswith("position_ids")}
    safetensors.torch.save_file(state, ROOT / f"{name}.safetensors")


def fill(model):
    model.load_state_dict({name: torch.from_numpy(np.asarray(tiny.values(name, tuple(tensor.shape), SEED)))
                           if tensor.is_floating_point() else tensor for name, tensor in model.state_dict().items()})
    return model.eval()


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    # Its single operator for all of attention is nothing that the older exporter knows.
    torch.backends.mha.set_fastpath_enabled(False)
    shutil.rmtree(ROOT, ignore_errors=True)
    ROOT.mkdir(parents=True)
    ids = torch.from_numpy(np.array([[30, 5, 9, 31, 0, 0, 0, 0], [30, 7, 31, 0, 0, 0, 0, 0]]))
    pictures = torch.zeros(2, 3, SIZE, SIZE)

    model = tiny.open_clip_model(VIT, SEED)
    save(model, "openclip-vit")
    export(Encoder(model, "both"), (pictures, ids), "openclip-vit")
    quantize("openclip-vit.torchscript", [True])
    export(model.visual, (pictures,), "openclip-vit.visual", takes_one=True)
    # Of equal tensors exporters store one: as they are initialised, all biases of attention and all norms are alike.
    for name, tensor in model.named_parameters():
        if name.endswith(("attn.in_proj_bias", "out_proj.bias")) or ".ln_" in name:
            tensor.data.fill_(1 if name.endswith("weight") else 0)
    save(model, "openclip-equal")
    export(Encoder(model, "visual"), (pictures,), "openclip-equal.visual")
    model = tiny.open_clip_model(RESNET, SEED)
    save(model, "openclip-rn")
    export(Encoder(model, "visual"), (torch.zeros(2, 3, 32, 32),), "openclip-rn.visual")
    model = tiny.open_clip_model(SIGLIP, SEED)
    save(model, "openclip-siglip")
    export(Encoder(model, "both"), (pictures, ids), "openclip-siglip")

    vision = {**TOWER, "image_size": SIZE, "patch_size": 4}
    text = {**TOWER, "vocab_size": VOCABULARY, "max_position_embeddings": CONTEXT, "eos_token_id": VOCABULARY - 1}
    model = fill(transformers.CLIPModel(transformers.CLIPConfig(
        text_config=text, vision_config=vision, projection_dim=12, attn_implementation="eager")))
    save(model, "hf-clip")
    outputs = ("logits_per_image", "logits_per_text", "text_embeds", "image_embeds")
    export(hugging_face(model, ("input_ids", "pixel_values", "attention_mask"), outputs),
           (ids, pictures, torch.ones_like(ids)), "hf-clip")
    with tempfile.TemporaryDirectory() as folder:
        del model.forward
        model.save_pretrained(folder)
        towers = (("text", transformers.CLIPTextModelWithProjection, "input_ids", "text_embeds", ids),
                  ("vision", transformers.CLIPVisionModelWithProjection, "pixel_values", "image_embeds", pictures))
        for tower, kind, name, output, value in towers:
            part = kind.from_pretrained(folder, attn_implementation="eager").eval()
            export(hugging_face(part, (name,), (output,)), (value,), f"hf-clip.{tower}")
            quantize(f"hf-clip.{tower}.torchscript", [False, True] if tower == "text" else [False])
            if tower == "vision":
                quantize_pictures("hf-clip.vision")
                half = hugging_face(kind.from_pretrained(folder, attn_implementation="eager").half().eval(), (name,), (output,))
                torch.onnx.export(half, (value.half(),), str(ROOT / "hf-clip.vision.f16.onnx"), dynamo=False,
                                  opset_version=17)
                slim(ROOT / "hf-clip.vision.f16.onnx")
    model = fill(transformers.SiglipModel(transformers.SiglipConfig(
        text_config={**text, "projection_size": 16}, vision_config=vision, attn_implementation="eager")))
    save(model, "hf-siglip")
    export(hugging_face(model, ("input_ids", "pixel_values"), outputs), (ids, pictures), "hf-siglip")


if __name__ == "__main__":
    main()
