#!/usr/bin/env python3
"""Writes tests/data/encoders/: tiny models of every architecture that Quipu builds the graph of, with
random weights, and what transformers gives for some texts.

Usage: tools/make_encoder_expectations.py [FOLDER]

Needs torch, transformers and safetensors, e.g. the environment that `make bench-setup` makes:
.deps/bench/sentence-transformers/venv/bin/python tools/make_encoder_expectations.py

Each model is a folder as it would be published: config.json, model.safetensors (f16, so that both
sides begin with the same numbers), tokenizer.json. Its expected.json holds texts as token ids,
`second_from` (the first token of a pair's second part, 0 of one text), and the last hidden states
that transformers computes in f32, or the logit of a model that scores.
"""
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = {"vocab_size": 60, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
         "intermediate_size": 40, "max_position_embeddings": 48}
TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(97 + i) for i in range(26)]


def tokenizer():
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
            "normalizer": None, "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
            "decoder": None,
            "model": {"type": "WordPiece", "unk_token": "[UNK]",
                      "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                      "vocab": {token: i for i, token in enumerate(TOKENS)}}}


def published_nomic(state):
    """Names and fused weights as nomic-embed-text-v1.5 has them."""
    out = {}
    for name, value in state.items():
        if ".self_attn." in name and not name.endswith("o_proj.weight"):
            continue
        for new, old in (("post_attention_layernorm", "norm1"), ("post_mlp_layernorm", "norm2"),
                         ("self_attn.o_proj", "attn.out_proj"), ("up_proj", "fc11"),
                         ("gate_proj", "fc12"), ("down_proj", "fc2"),
                         ("embeddings.LayerNorm", "emb_ln")):
            name = name.replace(new, old)
        out[name.replace("layers.", "encoder.layers.")] = value
    for layer in range(SIZES["num_hidden_layers"]):
        out[f"encoder.layers.{layer}.attn.Wqkv.weight"] = torch.cat(
            [state[f"layers.{layer}.self_attn.{part}_proj.weight"] for part in "qkv"])
    return out


NOMIC = {"model_type": "nomic_bert", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_inner": 40,
         "n_positions": 48, "vocab_size": 60, "type_vocab_size": 2, "layer_norm_epsilon": 1e-12,
         "activation_function": "swiglu", "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0,
         "rotary_scaling_factor": None, "prenorm": False, "qkv_proj_bias": False,
         "mlp_fc1_bias": False, "mlp_fc2_bias": False, "use_rms_norm": False}


def models():
    """[(name, model, config as it is written, state as it is written, has types, scores)]"""
    made = []

    def add(name, kind, config, types=False, scores=False, raw=None, state=None):
        torch.manual_seed(len(made) + 1)
        model = kind(config).eval()
        with torch.no_grad():
            for key, value in model.state_dict().items():
                if value.is_floating_point():
                    around = 1.0 if "norm" in key.lower() and key.endswith("weight") or \
                        "emb_ln.weight" in key else 0.0
                    value.copy_((around + torch.randn_like(value) * 0.3).half().float())
        written = raw or {**json.loads(config.to_json_string(use_diff=False)),
                          "architectures": [kind.__name__]}
        weights = state(model.state_dict()) if state else model.state_dict()
        weights = {key: value.half().contiguous() for key, value in weights.items()
                   if value.is_floating_point() and not key.endswith("inv_freq")}
        made.append((name, model, written, weights, types, scores))

    t = transformers
    one = {"num_labels": 1}
    distil = {"vocab_size": 60, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 40,
              "max_position_embeddings": 48}
    roberta = {**SIZES, "type_vocab_size": 1, "pad_token_id": 1}
    modern = {**SIZES, "num_hidden_layers": 4, "local_attention": 6, "pad_token_id": 0,
              "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}
    qwen = {**SIZES, "num_key_value_heads": 2, "head_dim": 16, "rope_theta": 10000.0,
            "bos_token_id": 2, "eos_token_id": 3}
    add("bert", t.BertModel, t.BertConfig(**SIZES), types=True)
    add("bert-score", t.BertForSequenceClassification, t.BertConfig(**SIZES, **one), True, True)
    add("distilbert", t.DistilBertModel, t.DistilBertConfig(**distil))
    add("distilbert-score", t.DistilBertForSequenceClassification,
        t.DistilBertConfig(**distil, **one), scores=True)
    add("roberta", t.RobertaModel, t.RobertaConfig(**roberta))
    add("xlm-roberta-score", t.XLMRobertaForSequenceClassification,
        t.XLMRobertaConfig(**roberta, **one), scores=True)
    add("mpnet", t.MPNetModel, t.MPNetConfig(**SIZES))
    add("mpnet-score", t.MPNetForSequenceClassification, t.MPNetConfig(**SIZES, **one), scores=True)
    add("nomic", t.NomicBertModel, t.NomicBertConfig(**SIZES, pad_token_id=0), types=True)
    add("nomic-published", t.NomicBertModel, t.NomicBertConfig(**SIZES, pad_token_id=0), types=True,
        raw=NOMIC, state=published_nomic)
    add("modernbert", t.ModernBertModel, t.ModernBertConfig(**modern))
    add("modernbert-score", t.ModernBertForSequenceClassification,
        t.ModernBertConfig(**modern, classifier_pooling="mean", **one), scores=True)
    add("qwen3", t.Qwen3Model, t.Qwen3Config(**qwen))
    return made


def cases(generator, types, scores):
    """Texts as ids, short and long; pairs where the model can tell their parts apart."""
    for count in (1, 2, 3, 5, 8, 13, 21, 34, 40):
        ids = torch.randint(5, 60, (count,), generator=generator).tolist()
        second = count // 2 if (types or scores) and count > 2 else 0
        yield {"ids": ids, "second_from": second}


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "tests/data/encoders")
    generator = torch.Generator().manual_seed(7)
    for name, model, config, weights, types, scores in models():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        (target / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
        (target / "tokenizer.json").write_text(json.dumps(tokenizer()) + "\n")
        save_file(weights, target / "model.safetensors", {"format": "pt"})
        expected = []
        for case in cases(generator, types, scores):
            given = {"input_ids": torch.tensor([case["ids"]])}
            if types:
                given["token_type_ids"] = torch.tensor(
                    [[int(0 < case["second_from"] <= at) for at in range(len(case["ids"]))]])
            with torch.no_grad():
                out = model(**given)
            values = out.logits[0] if scores else out.last_hidden_state[0]
            expected.append({**case, "values": [round(v, 6) for v in values.flatten().tolist()]})
        (target / "expected.json").write_text(json.dumps(expected) + "\n")
    print(f"{folder}: {sum(1 for _ in folder.iterdir())} models by transformers "
          f"{transformers.__version__}")


if __name__ == "__main__":
    main()
