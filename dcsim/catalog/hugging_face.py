"""Models read from a Hugging Face ``config.json``: its keys become those of a catalogue entry.

The keys are those of the ``transformers`` library's configuration classes (LlamaConfig, MixtralConfig,
Qwen3MoeConfig, DeepseekV3Config, ...).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from dcsim.catalog.model import Model
from dcsim.errors import Problem, ScenarioError
from dcsim.formulas.datatypes import Datatype
from dcsim.strict_yaml import read_small_file
from dcsim.validation import nearest, validated

_DATATYPES = {"bfloat16": Datatype.BF16, "float16": Datatype.FP16, "float32": Datatype.FP32}


def read_config(path: Path) -> dict[str, object]:
    """The keys of a model entry from a config.json. Raises ScenarioError if dcsim cannot read it."""
    config = _text_part(_parsed(path))
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in _FAMILIES:
        known = tuple(_FAMILIES)
        remedy = nearest(str(model_type), known)
        raise ScenarioError(
            Problem("unknown architecture", "model_type", model_type, remedy=remedy, file=str(path))
        )
    try:
        entry = _FAMILIES[model_type](config)
    except KeyError as error:
        message = f"a key that {model_type} needs is missing"
        raise ScenarioError(Problem(message, str(error.args[0]), file=str(path))) from error
    except ValueError as error:
        raise ScenarioError(Problem(str(error), file=str(path))) from error
    name = path.parent.name if path.stem == "config" and path.parent.name else path.stem
    entry |= {
        "name": name,
        "title": str(config.get("_name_or_path") or name),
        "source": f"Hugging Face {path.name}",
    }
    validated(Model, entry, lambda _: (str(path), None))
    return entry


def _parsed(path: Path) -> Mapping[str, object]:
    text = read_small_file(path)
    if b"\0" in text:  # json would take it for UTF-16 or UTF-32
        raise ScenarioError(Problem("is not JSON: it holds NUL bytes; is it a binary file?", file=str(path)))
    try:
        config: object = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        json.dumps(config, ensure_ascii=False).encode()  # refuses halves of surrogate pairs
    except json.JSONDecodeError as error:
        problem = Problem(f"is not JSON: {error.msg}", file=str(path), line=error.lineno)
        raise ScenarioError(problem) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, a repeated key, a huge number, nested too deep
        raise ScenarioError(Problem(f"is not JSON: {error}", file=str(path))) from error
    if not isinstance(config, dict):
        raise ScenarioError(Problem("must be a mapping of keys to values", file=str(path)))
    return config


def _text_part(config: Mapping[str, object]) -> Mapping[str, object]:
    """The language model's part of the configuration of one that sees, too."""
    text = config.get("text_config")
    if not isinstance(text, dict):
        return config
    outside = ("_name_or_path", "quantization_config", "tie_word_embeddings", "torch_dtype")
    return {key: config[key] for key in outside if key in config} | text


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a key stands twice")
    return mapping


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a finite number")


def _dense(config: Mapping[str, object]) -> dict[str, object]:
    heads = config["num_attention_heads"]
    return {
        "num_layers": config["num_hidden_layers"],
        "hidden_size": config["hidden_size"],
        "num_heads": heads,
        "num_kv_heads": config.get("num_key_value_heads") or heads,
        "head_size": config.get("head_dim") or _quotient(config["hidden_size"], heads),
        "ffn_size": config["intermediate_size"],
        "vocab_size": config["vocab_size"],
        "tied_embeddings": config.get("tie_word_embeddings", False),
        "max_context_tokens": config["max_position_embeddings"],
        "native_datatype": _datatype(config),
    }


def _dense_with_windows(config: Mapping[str, object]) -> dict[str, object]:
    """Mistral's first models limit every layer to a window; later ones give null for none."""
    window = config.get("sliding_window")
    if window is None:
        return _dense(config)
    return {
        **_dense(config),
        "local_attention": {"num_layers": config["num_hidden_layers"], "window": window},
    }


def _qwen3(config: Mapping[str, object]) -> dict[str, object]:
    if config.get("use_sliding_window"):
        raise ValueError("sliding windows of this architecture are not read (use_sliding_window)")
    return {**_dense(config), "qk_norm": True}


def _gpt_oss(config: Mapping[str, object]) -> dict[str, object]:
    kinds = config["layer_types"]
    if not isinstance(kinds, list):
        raise ValueError("layer_types must be a list")
    local = {
        "num_layers": kinds.count("sliding_attention"),
        "window": config["sliding_window"],
        "frees_cache": True,
    }
    entry = _with_biases(_mixtral(config))
    return {**entry, "local_attention": local} if local["num_layers"] else entry


def _with_biases(entry: Mapping[str, object]) -> dict[str, object]:
    """The same with biases behind the products of experts, which no configuration of gpt-oss is without."""
    experts = entry["experts"]
    assert isinstance(experts, dict)
    return {**entry, "experts": {**experts, "biased": True}}


def _llama4(config: Mapping[str, object]) -> dict[str, object]:
    """Every ``interleave_moe_layer_step``-th layer has experts, one of them shared; every fourth sees all."""
    layers, step = config["num_hidden_layers"], config.get("interleave_moe_layer_step", 1)
    interval = config.get("no_rope_layer_interval", 4)
    if not (isinstance(layers, int) and isinstance(step, int) and isinstance(interval, int)):
        raise ValueError(
            "num_hidden_layers, interleave_moe_layer_step and no_rope_layer_interval are numbers"
        )
    if step < 1 or interval < 2:
        raise ValueError("interleave_moe_layer_step must be at least 1, no_rope_layer_interval at least 2")
    experts = {
        "num_experts": config["num_local_experts"],
        "num_experts_per_token": config["num_experts_per_tok"],
        "expert_ffn_size": config["intermediate_size"],
        "num_shared_experts": 1,
        "num_dense_layers": layers - layers // step,
        "interleaved": step > 1,
    }
    return {
        **_dense(config),
        "ffn_size": config["intermediate_size_mlp"],
        "qk_norm": config.get("use_qk_norm", False),
        "experts": experts,
        "local_attention": {
            "num_layers": layers - layers // interval,
            "window": config["attention_chunk_size"],
        },
    }


def _qwen3_5_moe(config: Mapping[str, object]) -> dict[str, object]:
    """Three of four layers have linear attention; every layer has experts, one of them shared."""
    kinds, width = config["layer_types"], config["moe_intermediate_size"]
    if not isinstance(kinds, list):
        raise ValueError("layer_types must be a list")
    if config["shared_expert_intermediate_size"] != width:
        raise ValueError("the shared expert must be as wide as the others (shared_expert_intermediate_size)")
    experts = {
        "num_experts": config["num_experts"],
        "num_experts_per_token": config["num_experts_per_tok"],
        "expert_ffn_size": width,
        "num_shared_experts": 1,
    }
    linear = {
        "num_layers": kinds.count("linear_attention"),
        "num_key_heads": config["linear_num_key_heads"],
        "num_value_heads": config["linear_num_value_heads"],
        "key_head_size": config["linear_key_head_dim"],
        "value_head_size": config["linear_value_head_dim"],
        "conv_size": config["linear_conv_kernel_dim"],
    }
    return {
        **_dense({**config, "intermediate_size": width}),
        "qk_norm": True,
        "output_gate": config.get("attn_output_gate", False),
        "experts": experts,
        "linear_attention": linear,
    }


def _minimax_m2(config: Mapping[str, object]) -> dict[str, object]:
    if config.get("shared_intermediate_size"):
        raise ValueError("shared experts of this architecture are not read (shared_intermediate_size)")
    return {**_mixtral(config), "qk_norm": config.get("use_qk_norm", False)}


def _mixtral(config: Mapping[str, object]) -> dict[str, object]:
    experts = {
        "num_experts": config["num_local_experts"],
        "num_experts_per_token": config["num_experts_per_tok"],
        "expert_ffn_size": config["intermediate_size"],
        "datatype": _expert_datatype(config),
    }
    return {**_dense(config), "experts": experts}


def _qwen3_moe(config: Mapping[str, object]) -> dict[str, object]:
    dense_layers = config.get("mlp_only_layers") or []
    if not isinstance(dense_layers, list) or dense_layers != list(range(len(dense_layers))):
        raise ValueError("only the leading layers may be dense (mlp_only_layers)")
    if config.get("decoder_sparse_step", 1) != 1:
        raise ValueError("every layer after the dense ones must have experts (decoder_sparse_step 1)")
    experts = {
        "num_experts": config["num_experts"],
        "num_experts_per_token": config["num_experts_per_tok"],
        "expert_ffn_size": config["moe_intermediate_size"],
        "num_dense_layers": len(dense_layers),
    }
    return {**_qwen3(config), "experts": experts}


def _deepseek(config: Mapping[str, object]) -> dict[str, object]:
    experts = {
        "num_experts": config["n_routed_experts"],
        "num_experts_per_token": config["num_experts_per_tok"],
        "expert_ffn_size": config["moe_intermediate_size"],
        "num_shared_experts": config.get("n_shared_experts") or 0,
        "num_dense_layers": config["first_k_dense_replace"],
        "datatype": _expert_datatype(config),
    }
    latent = {
        "kv_rank": config["kv_lora_rank"],
        "query_rank": config.get("q_lora_rank"),
        "rope_head_size": config["qk_rope_head_dim"],
        "nope_head_size": config["qk_nope_head_dim"],
        "value_head_size": config["v_head_dim"],
    }
    return {**_dense(config), "head_size": config["qk_nope_head_dim"], "experts": experts, "latent": latent}


def _sparse_deepseek(config: Mapping[str, object]) -> dict[str, object]:
    """DeepSeek sparse attention: each token attends to the ``index_topk`` that an indexer chooses."""
    local = {
        "num_layers": config["num_hidden_layers"],
        "window": config["index_topk"],
        "indexer": {"num_heads": config["index_n_heads"], "head_size": config["index_head_dim"]},
    }
    return {**_deepseek(config), "local_attention": local}


def _quotient(width: object, heads: object) -> int:
    if not isinstance(width, int) or not isinstance(heads, int) or heads <= 0 or width % heads:
        raise ValueError("hidden_size must be a multiple of num_attention_heads where head_dim is not given")
    return width // heads


def _datatype(config: Mapping[str, object]) -> Datatype:
    quantization = config.get("quantization_config")
    if isinstance(quantization, dict):
        if quantization.get("quant_method") == "fp8":
            return Datatype.FP8
        if _expert_datatype(config) is not None:
            return Datatype.BF16
        raise ValueError(
            "quantised weights other than fp8 are not read; give the plain model and set precision"
        )
    name = config.get("torch_dtype", config.get("dtype", "bfloat16"))
    if not isinstance(name, str) or name not in _DATATYPES:
        raise ValueError(f"torch_dtype must be one of {', '.join(_DATATYPES)}")
    return _DATATYPES[name]


def _expert_datatype(config: Mapping[str, object]) -> Datatype | None:
    """The format of routed experts that alone are quantised: mxfp4 (gpt-oss) or int4 (Kimi K2.5)."""
    quantization = config.get("quantization_config")
    if not isinstance(quantization, dict):
        return None
    if quantization.get("quant_method") == "mxfp4":
        return Datatype.MXFP4
    ignored, groups = quantization.get("ignore"), quantization.get("config_groups")
    leaves_attention = isinstance(ignored, list) and any("self_attn" in str(name) for name in ignored)
    four_bits = "'num_bits': 4" in str(groups) and "'type': 'int'" in str(groups)
    return Datatype.INT4 if leaves_attention and four_bits else None


_FAMILIES: Mapping[str, Callable[[Mapping[str, object]], dict[str, object]]] = {
    "llama": _dense,
    "mistral": _dense_with_windows,
    "qwen2": _dense,
    "qwen3": _qwen3,
    "mixtral": _mixtral,
    "qwen3_moe": _qwen3_moe,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
    "deepseek_v32": _sparse_deepseek,
    "glm_moe_dsa": _sparse_deepseek,
    "kimi_k2": _deepseek,
    "llama4_text": _llama4,
    "minimax_m2": _minimax_m2,
    "gpt_oss": _gpt_oss,
    "qwen3_5_moe_text": _qwen3_5_moe,
}
