"""Costs of models that are no decoder-only transformer, against what their papers print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcsim.catalog.loader import load_entry
from dcsim.formulas.transformer import TransformerShape, num_parameters
from dcsim.formulas.workload_shapes import (
    WorkloadShape,
    bottleneck_layers,
    convolutional_workload,
    encoder_decoder_workload,
    encoder_workload,
)

BERT_LARGE = TransformerShape(24, 1024, 16, 16, 64, 4096, 30522, is_gated=False, has_tied_embeddings=True)


def workload(name: str) -> WorkloadShape:
    return load_entry("models", name).workload  # type: ignore[attr-defined, no-any-return]


def test_resnet_50_has_the_published_weights_and_operations() -> None:
    # torchvision: 25,557,032 parameters; 4.09 G multiply-adds of an image of 224 x 224
    assert workload("resnet-50").num_parameters == pytest.approx(25_557_032, rel=1e-3)
    assert workload("resnet-50").forward_flops / 2 == pytest.approx(4.09e9, rel=0.005)


def test_a_deeper_residual_network_has_the_published_operations() -> None:
    # torchvision: ResNet-152 has 60,192,808 parameters and 11.51 G multiply-adds
    layers = bottleneck_layers((3, 8, 36, 3), (64, 128, 256, 512), 224, 1000)
    assert convolutional_workload(layers).num_parameters == pytest.approx(60_192_808, rel=1e-3)
    assert convolutional_workload(layers).forward_flops / 2 == pytest.approx(11.51e9, rel=0.01)


def test_bert_large_has_the_published_weights() -> None:
    # 340M with positions, pooler and biases: Devlin et al., 2019, arXiv:1810.04805, section 3
    assert workload("bert-large").num_parameters == pytest.approx(340e6, rel=0.025)


def test_t5_has_eleven_billion_weights() -> None:
    assert workload("t5-11b").num_parameters == pytest.approx(11.3e9, rel=0.005)  # arXiv:1910.10683


def test_the_tables_of_the_recommender_are_almost_all_of_it() -> None:
    shape = workload("dlrm-dcnv2")
    assert shape.num_table_parameters == pytest.approx(204e6 * 128, rel=0.01)  # capped at 40M rows
    assert shape.num_parameters < 0.01 * shape.num_table_parameters


def test_a_token_alone_costs_two_operations_per_weight() -> None:
    without_pairs = encoder_workload(BERT_LARGE, 1, 1)
    assert without_pairs.forward_flops == pytest.approx(2 * num_parameters(BERT_LARGE), rel=0.001)


@given(st.integers(1, 4096))
def test_an_encoder_decoder_without_a_decoder_is_an_encoder(tokens: int) -> None:
    short = encoder_decoder_workload(BERT_LARGE, 24, tokens, 1)
    shorter = encoder_decoder_workload(BERT_LARGE, 0, tokens, 1)
    layers = encoder_workload(BERT_LARGE, tokens, 0)
    assert short.forward_flops - shorter.forward_flops == pytest.approx(layers.forward_flops)


def test_training_takes_three_forward_passes() -> None:
    assert workload("resnet-50").training_flops == 3 * workload("resnet-50").forward_flops
