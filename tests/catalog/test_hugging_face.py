import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.catalog.hugging_face import read_config
from dcsim.catalog.loader import load_entry
from dcsim.catalog.model import Model
from dcsim.errors import ScenarioError

# The keys that dcsim reads, of the config.json files published on Hugging Face.
LLAMA_2_70B = {
    "model_type": "llama",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "max_position_embeddings": 4096,
    "num_attention_heads": 64,
    "num_hidden_layers": 80,
    "num_key_value_heads": 8,
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "vocab_size": 32000,
}
MIXTRAL_8X7B = {
    "model_type": "mixtral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 32768,
    "num_attention_heads": 32,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "torch_dtype": "bfloat16",
    "vocab_size": 32000,
}
DEEPSEEK_V3 = {
    "model_type": "deepseek_v3",
    "first_k_dense_replace": 3,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "kv_lora_rank": 512,
    "max_position_embeddings": 163840,
    "moe_intermediate_size": 2048,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_attention_heads": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 61,
    "num_key_value_heads": 128,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "quantization_config": {"quant_method": "fp8"},
    "v_head_dim": 128,
    "vocab_size": 129280,
}
QWEN3_MOE = {
    **LLAMA_2_70B,
    "model_type": "qwen3_moe",
    "head_dim": 128,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 768,
    "mlp_only_layers": [],
    "decoder_sparse_step": 1,
}


def read(folder, config):
    path = folder / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return Model.model_validate(read_config(path))


@pytest.mark.parametrize(
    ("config", "name"),
    [(LLAMA_2_70B, "llama-2-70b"), (MIXTRAL_8X7B, "mixtral-8x7b"), (DEEPSEEK_V3, "deepseek-v3")],
)
def test_a_config_gives_the_shape_of_the_catalogue_entry(tmp_path, config, name):
    assert read(tmp_path, config).shape == load_entry("models", name).shape


@pytest.mark.parametrize("model_type", ["llama", "mistral", "qwen2", "qwen3"])
def test_dense_families_differ_in_name_only(tmp_path, model_type):
    assert read(tmp_path, LLAMA_2_70B | {"model_type": model_type}).num_kv_heads == 8


def test_experts_of_qwen3_have_their_own_width(tmp_path):
    assert read(tmp_path, QWEN3_MOE).experts.expert_ffn_size == 768


def test_the_model_is_named_by_the_folder_of_its_config(tmp_path):
    folder = tmp_path / "my-model"
    folder.mkdir()

    assert read(folder, LLAMA_2_70B).name == "my-model"


def test_heads_without_groups_are_all_key_value_heads(tmp_path):
    config = {key: value for key, value in LLAMA_2_70B.items() if key != "num_key_value_heads"}

    assert read(tmp_path, config).num_kv_heads == 64


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"model_type": "llamma"}, "model_type: unknown architecture .* Did you mean 'llama'"),
        ({"model_type": 5}, "unknown architecture"),
        ({"hidden_size": 8191}, "multiple of num_attention_heads"),
        ({"num_hidden_layers": 0}, "num_layers: must be greater than 0"),
        ({"num_hidden_layers": "many"}, "num_layers: must be a whole number"),
        ({"torch_dtype": "int3"}, "torch_dtype must be one of"),
        ({"quantization_config": {"quant_method": "awq"}}, "quantised weights"),
    ],
)
def test_a_config_that_dcsim_cannot_read_is_refused(tmp_path, change, hint):
    with pytest.raises(ScenarioError, match=hint):
        read(tmp_path, LLAMA_2_70B | change)


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(ScenarioError, match="num_local_experts: a key that mixtral needs is missing"):
        read(tmp_path, LLAMA_2_70B | {"model_type": "mixtral"})


def test_dense_layers_among_experts_are_refused(tmp_path):
    with pytest.raises(ScenarioError, match="only the leading layers"):
        read(tmp_path, QWEN3_MOE | {"mlp_only_layers": [3]})


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "NaN", '{"a": 1, "a": 2}', "[" * 100_000, '{"a": ' + "9" * 5000 + "}"]
)
def test_what_is_no_json_object_is_refused(tmp_path, text):
    with pytest.raises(ScenarioError):
        read(tmp_path, text)


@given(st.dictionaries(st.sampled_from(sorted(DEEPSEEK_V3)), st.none() | st.integers() | st.text(max_size=3)))
def test_any_config_is_a_model_or_a_scenario_error(tmp_path_factory, change):
    try:
        model = read(tmp_path_factory.mktemp("hf"), DEEPSEEK_V3 | change)
    except ScenarioError:
        return
    assert model.num_layers > 0


def test_a_binary_file_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\0\0\0\0")
    with pytest.raises(ScenarioError, match="NUL bytes; is it a binary file"):
        read_config(tmp_path / "config.json")
