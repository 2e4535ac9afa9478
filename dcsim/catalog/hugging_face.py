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
    config = _parsed(path)
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


def _mixtral(config: Mapping[str, object]) -> dict[str, object]:
    experts = {
        "num_experts": config["num_local_experts"],
        "num_experts_per_token": config["num_experts_per_tok"],
        "expert_ffn_size": config["intermediate_size"],
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
    return {**_dense(config), "experts": experts}


def _deepseek(config: Mapping[str, object]) -> dict[str, object]:
    experts = {
        "num_experts": config["n_routed_experts"],
        "num_experts_per_token": config["num_experts_per_tok"],
        "expert_ffn_size": config["moe_intermediate_size"],
        "num_shared_experts": config.get("n_shared_experts") or 0,
        "num_dense_layers": config["first_k_dense_replace"],
    }
    latent = {
        "kv_rank": config["kv_lora_rank"],
        "query_rank": config.get("q_lora_rank"),
        "rope_head_size": config["qk_rope_head_dim"],
        "nope_head_size": config["qk_nope_head_dim"],
        "value_head_size": config["v_head_dim"],
    }
    return {**_dense(config), "head_size": config["qk_nope_head_dim"], "experts": experts, "latent": latent}


def _quotient(width: object, heads: object) -> int:
    if not isinstance(width, int) or not isinstance(heads, int) or heads <= 0 or width % heads:
        raise ValueError("hidden_size must be a multiple of num_attention_heads where head_dim is not given")
    return width // heads


def _datatype(config: Mapping[str, object]) -> Datatype:
    quantization = config.get("quantization_config")
    if isinstance(quantization, dict):
        if quantization.get("quant_method") == "fp8":
            return Datatype.FP8
        raise ValueError(
            "quantised weights other than fp8 are not read; give the plain model and set precision"
        )
    name = config.get("torch_dtype", config.get("dtype", "bfloat16"))
    if not isinstance(name, str) or name not in _DATATYPES:
        raise ValueError(f"torch_dtype must be one of {', '.join(_DATATYPES)}")
    return _DATATYPES[name]


_FAMILIES: Mapping[str, Callable[[Mapping[str, object]], dict[str, object]]] = {
    "llama": _dense,
    "mistral": _dense,
    "qwen2": _dense,
    "qwen3": _dense,
    "mixtral": _mixtral,
    "qwen3_moe": _qwen3_moe,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
}
