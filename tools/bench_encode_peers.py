"""The peers of tools/bench encode, each a process that answers as Tests/Bench/EncoderBench.swift does.

    bench_encode_peers.py export FOLDER            the encoders as visual.onnx and text.onnx, with an image and prompts
    bench_encode_peers.py KIND FOLDER THREADS      torch, padded, onnxruntime or openvino
    bench_encode_peers.py first FOLDER THREADS     start to the first embedding with ONNX Runtime, and nothing else
"""
import itertools
import pathlib
import sys
import time

import numpy as np

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
TOKENS = 12


def pixels(folder, batch):
    from PIL import Image
    image = np.asarray(Image.open(folder / "image.png"), np.float32) / np.float32(255)
    return np.repeat(((image - np.float32(MEAN)) / np.float32(STD)).transpose(2, 0, 1)[None], batch, 0)


def token_ids(folder, batch, length):
    return np.load(folder / "tokens.npy")[:batch, :length]


def load_torch(folder):
    import tiny_models  # noqa: F401  makes torchvision importable
    import open_clip
    import torch
    model = open_clip.create_model("ViT-B-32").eval().requires_grad_(False)
    model.load_state_dict(torch.load(folder / "f32.pt", weights_only=True))
    return model


def encode_text(model, ids, length):
    """open_clip's encode_text for texts of one length, of which nothing is filling."""
    import torch
    x = model.token_embedding(ids) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    x = x[torch.arange(x.shape[0]), ids.argmax(-1)] @ model.text_projection
    return torch.nn.functional.normalize(x, dim=-1)


def export(folder):
    import tiny_models  # noqa: F401
    import open_clip
    import torch
    from PIL import Image

    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    words = ["dog", "cat", "man", "girl", "boat", "bird", "house", "tree"], ["beach", "street", "table", "hill"], \
        ["night", "noon", "home", "work"]
    prompts = [f"a photo of a {a} on the {b} at {c}" for a, b, c in itertools.product(*words)]
    (folder / "prompts.txt").write_text("".join(prompt + "\n" for prompt in prompts))
    tokens = tokenizer(prompts)
    assert ((tokens != 0).sum(1) == TOKENS).all() and len(prompts) == 128
    np.save(folder / "tokens.npy", tokens.numpy())
    random = np.random.Generator(np.random.PCG64(1))
    Image.fromarray(random.integers(0, 256, (224, 224, 3), np.uint8)).save(folder / "image.png")

    model = load_torch(folder)

    class Visual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, pixels):
            return self.model.encode_image(pixels, normalize=True)

    class Text(Visual):
        def forward(self, ids):
            return encode_text(self.model, ids, ids.shape[1])

    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad():
        torch.onnx.export(
            Visual(), (torch.zeros(2, 3, 224, 224),), folder / "visual.onnx", dynamo=False, opset_version=17,
            input_names=["pixels"], output_names=["rows"], dynamic_axes={"pixels": {0: "batch"}})
        torch.onnx.export(
            Text(), (tokens[:2, :TOKENS],), folder / "text.onnx", dynamo=False, opset_version=17, input_names=["ids"],
            output_names=["rows"], dynamic_axes={"ids": {0: "batch", 1: "length"}})


def torch_peer(folder, threads, padded):
    import torch
    torch.set_num_threads(threads)
    model = load_torch(folder)

    def image(batch):
        values = torch.from_numpy(pixels(folder, batch))
        return lambda: model.encode_image(values, normalize=True).numpy()

    def text(batch):
        # Texts of the real length: what torch would do without the padding.
        ids = torch.from_numpy(token_ids(folder, batch, 77 if padded else TOKENS))
        if padded:
            return lambda: model.encode_text(ids, normalize=True).numpy()
        return lambda: encode_text(model, ids, TOKENS).numpy()
    torch.set_grad_enabled(False)
    return {"image": image, "text": text}


def onnxruntime_session(path, threads):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def onnxruntime_peer(folder, threads):
    sessions = {}

    def bound(name, values):
        if name not in sessions:
            sessions[name] = onnxruntime_session(folder / f"{name}.onnx", threads)
        session = sessions[name]
        feed = {session.get_inputs()[0].name: values}
        return lambda: session.run(None, feed)[0]
    return {"image": lambda batch: bound("visual", pixels(folder, batch)),
            "text": lambda batch: bound("text", token_ids(folder, batch, TOKENS))}


def openvino_peer(folder, threads):
    import openvino
    core = openvino.Core()
    # Its default here would be bf16; one stream of all threads answers soonest.
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
             "PERFORMANCE_HINT": "LATENCY"}

    def bound(name, values):
        model = core.read_model(folder / f"{name}.onnx")
        model.reshape(list(values.shape))
        request = core.compile_model(model, "CPU", hints).create_infer_request()
        return lambda: request.infer([values])[0]
    return {"image": lambda batch: bound("visual", pixels(folder, batch)),
            "text": lambda batch: bound("text", token_ids(folder, batch, TOKENS))}


def first(folder, threads):
    session = onnxruntime_session(folder / "visual.onnx", threads)
    print(session.run(None, {"pixels": pixels(folder, 1)})[0][0, :4].tolist())


def serve(peer):
    bound = {}

    def run(kind, batch):
        if (kind, batch) not in bound:
            bound[kind, batch] = peer[kind](batch)
        return bound[kind, batch]
    print("ready", flush=True)
    for line in sys.stdin:
        kind, batch, runs = line.split()
        if kind == "rows":
            rows = [run(tower, int(batch))() for tower in ("image", "text")]
            print(*np.concatenate([row.ravel() for row in rows]), flush=True)
            continue
        call, times = run(kind, int(batch)), []
        for _ in range(int(runs)):
            start = time.perf_counter()
            call()
            times.append(1000 * (time.perf_counter() - start))
        print(*times, flush=True)


def main():
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if kind == "export":
        return export(folder)
    threads = int(sys.argv[3])
    if kind == "first":
        return first(folder, threads)
    makers = {"torch": lambda: torch_peer(folder, threads, padded=False),
              "padded": lambda: torch_peer(folder, threads, padded=True),
              "onnxruntime": lambda: onnxruntime_peer(folder, threads),
              "openvino": lambda: openvino_peer(folder, threads)}
    serve(makers[kind]())


if __name__ == "__main__":
    main()
