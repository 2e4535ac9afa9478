"""Only decoder-only transformers are served; the other kinds of models are for training."""

import pytest

import dcsim
from dcsim.catalog.loader import entry_mapping, read_entry_file
from dcsim.catalog.trained_model import FixedCost
from dcsim.errors import ScenarioError
from dcsim.spec.reference import Reference


def test_serving_a_network_that_is_no_decoder_is_refused() -> None:
    scenario = dcsim.load("scenarios/azure-conv.yaml")
    name = next(iter(scenario.serving))
    with pytest.raises(ScenarioError, match="is of kind cnn; this takes kind decoder"):
        scenario.replace({f"serving.{name}.model": "resnet-50"})


@pytest.mark.parametrize("name", ["resnet-50", "bert-large", "t5-11b", "dlrm-dcnv2"])
def test_a_training_may_take_any_kind(name: str) -> None:
    assert Reference("models").class_for(name) in Reference("models").classes
    assert entry_mapping("models", name)["kind"] != "decoder"


def test_a_fixed_cost_is_a_file_of_ones_own(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.yaml"
    text = "title: Mine\nsource: own\nkind: fixed_cost\nnum_parameters: 1e9\nforward_flops: 2e12\n"
    file.write_text(text + "activations: 40 MB\n")
    mapping = read_entry_file("models", file)
    assert FixedCost.model_validate(mapping).workload.training_flops == 6e12


def test_a_stage_without_a_width_is_told(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.yaml"
    file.write_text("base: resnet-50\nwidths: [64, 128]\n")
    with pytest.raises(ScenarioError, match="same number of stages"):
        read_entry_file("models", file)


def images(sequences: int, **batch: object) -> dcsim.Scenario:
    return dcsim.load(
        {
            "name": "images",
            "cluster": {"node": "dgx-h100", "num_nodes": 1},
            "training": {
                "tune": {"model": "resnet-50", "steps": 10, "batch": {"sequences": sequences, **batch}}
            },
        }
    )


def test_replicas_of_a_fixed_cost_take_all_their_samples_at_once_unless_told_otherwise() -> None:
    all_at_once, one_by_one = (
        dcsim.estimate_training(images(2048, **batch))["tune"] for batch in ({}, {"micro": 1})
    )
    assert all_at_once.step == dcsim.estimate_training(images(2048, micro=256))["tune"].step
    assert one_by_one.step.launch_s == pytest.approx(256 * all_at_once.step.launch_s)


def test_samples_that_do_not_divide_by_the_replicas_are_told() -> None:
    with pytest.raises(ScenarioError, match=r"must be a multiple of data x micro = 8 x 12"):
        images(100)
