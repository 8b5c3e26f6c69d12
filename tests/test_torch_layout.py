"""Weights go out in PyTorch's layout and come back, and captioners made by PyTorch say the same here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

import rnnkit
from rnnkit.captioning.exporting import from_torch, read_torch, to_torch, write_torch
from rnnkit.cli import app
from rnnkit.errors import DataError

RECORDED: Final = Path(__file__).parent / "reference" / "torch_captioners"
SIZES: Final = "[data]\nfeatures = 6\nvocabulary = 15\nlength = 9\n"

CASES: Final = {
    "lstm": (
        """
        [model]
        image = [{ use = "affine", units = 10 }, "tanh", "affine"]
        words = [{ use = "embedding", dim = 5 }, "layer-norm"]
        head = [{ use = "dropout", rate = 0.5 }, "affine"]
        [[model.rnn]]
        hidden = 8
        cell = "lstm"
        """,
        [],
    ),
    "gru": (
        """
        [model]
        words = { use = "embedding", dim = 5 }
        [[model.rnn]]
        hidden = 8
        cell = "gru"
        [[model.rnn]]
        hidden = 8
        cell = "gru"
        """,
        [("project", "image.0"), ("embed", "words.0"), ("gru", "rnn"), ("fc", "head.0")],
    ),
    "rnn": (
        """
        [model]
        inject = "par"
        image = { use = "affine", units = 4 }
        words = { use = "embedding", dim = 5 }
        [[model.rnn]]
        hidden = 8
        cell = { use = "vanilla", activation = "relu" }
        """,
        [],
    ),
}

EVERYTHING: Final = """
[model]
image = [{ use = "affine", units = 7 }, "relu", "affine"]
words = [{ use = "embedding", dim = 5 }, { use = "dropout", rate = 0.1 }]
head = ["layer-norm", "affine"]
[[model.rnn]]
hidden = 4
cell = "lstm"
[[model.rnn]]
hidden = 3
cell = "gru"
input = ["layer-norm", { use = "dropout", rate = 0.2 }]
[[model.rnn]]
hidden = 2
cell = "vanilla"
"""


def network(text: str) -> rnnkit.Captioner:
    """A network with parameters that are all different, biases too."""
    model = rnnkit.build(rnnkit.parse_spec(SIZES + text))
    rng = np.random.default_rng(5)
    for w in model.parameters.values():
        w += rng.normal(0.0, 0.5, w.shape).astype(w.dtype)
    return model


@pytest.mark.parametrize("case", CASES)
def test_a_captioner_made_by_pytorch_captions_the_same(case: str) -> None:
    spec, renamed = CASES[case]
    with np.load(RECORDED / "captions.npz") as recorded:
        features, tokens = recorded["features"], recorded[f"{case}/tokens"]
        log_probs = recorded[f"{case}/log_probs"]
    model = read_torch(network(spec), RECORDED / f"{case}.safetensors", renamed)
    said = model.decode(features, "greedy")
    width = said.tokens.shape[2]
    np.testing.assert_array_equal(said.tokens[:, 0], tokens[:, :width])
    assert (tokens[:, width:] == model.vocabulary.end).all()
    np.testing.assert_allclose(said.log_probs[:, 0], log_probs, rtol=1e-5, atol=1e-5)


def test_what_goes_out_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    model, other = network(EVERYTHING), rnnkit.build(rnnkit.parse_spec(SIZES + EVERYTHING))
    write_torch(model, tmp_path / "w.safetensors")
    back = read_torch(other, tmp_path / "w.safetensors")
    assert back.parameters.keys() == model.parameters.keys()
    for name, w in model.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], w, err_msg=name)


def test_the_file_has_pytorchs_names_and_the_words(tmp_path: Path) -> None:
    model = network(EVERYTHING)
    write_torch(model, tmp_path / "w.safetensors")
    tensors = load_file(tmp_path / "w.safetensors")
    assert {name: a.shape for name, a in tensors.items()} == {
        "image.0.weight": (7, 6),
        "image.0.bias": (7,),
        "image.2.weight": (9, 7),
        "image.2.bias": (9,),
        "words.0.weight": (15, 5),
        "rnn.0.weight_ih_l0": (16, 5),
        "rnn.0.weight_hh_l0": (16, 4),
        "rnn.0.bias_ih_l0": (16,),
        "rnn.0.bias_hh_l0": (16,),
        "inputs.1.0.weight": (4,),
        "inputs.1.0.bias": (4,),
        "rnn.1.weight_ih_l0": (9, 4),
        "rnn.1.weight_hh_l0": (9, 3),
        "rnn.1.bias_ih_l0": (9,),
        "rnn.1.bias_hh_l0": (9,),
        "rnn.2.weight_ih_l0": (2, 3),
        "rnn.2.weight_hh_l0": (2, 2),
        "rnn.2.bias_ih_l0": (2,),
        "rnn.2.bias_hh_l0": (2,),
        "head.0.weight": (2,),
        "head.0.bias": (2,),
        "head.1.weight": (15, 2),
        "head.1.bias": (15,),
    }
    # Rows of nn.LSTM: input, forget, cell, output; of rnnkit: input, forget, output, cell.
    b = model.parameters["rnn.0.b"]
    i, f, o, g = np.split(b, 4)
    np.testing.assert_array_equal(tensors["rnn.0.bias_ih_l0"], np.concatenate([i, f, g, o]))
    np.testing.assert_array_equal(tensors["rnn.0.bias_hh_l0"], np.zeros(16))
    bn = model.parameters["rnn.1.cell.bn"]
    np.testing.assert_array_equal(tensors["rnn.1.bias_hh_l0"], np.concatenate([np.zeros(6), bn]))


def test_either_bias_of_a_gate_counts() -> None:
    model = network(EVERYTHING)
    tensors = to_torch(model)
    moved = dict(tensors)
    half = np.linspace(-1, 1, 16, dtype=np.float32)
    moved["rnn.0.bias_ih_l0"] = tensors["rnn.0.bias_ih_l0"] - half
    moved["rnn.0.bias_hh_l0"] = tensors["rnn.0.bias_hh_l0"] + half
    back = from_torch(model, moved)
    np.testing.assert_allclose(back.parameters["rnn.0.b"], model.parameters["rnn.0.b"], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"head.1.weight": None},
            "the tensor 'head.1.weight' (15, 2) is missing",
        ),
        (
            {"head.1.weight": None, "fc.weight": np.zeros((15, 2), np.float32)},
            "the tensor 'head.1.weight' (15, 2) is missing; it has fc.weight, which nothing takes",
        ),
        (
            {"rnn.0.weight_hh_l0": np.zeros((12, 4), np.float32)},
            "the tensor 'rnn.0.weight_hh_l0' is (12, 4), but the spec makes it (16, 4)",
        ),
        (
            {"words.0.weight": np.zeros((15, 5), np.int64)},
            "the tensor 'words.0.weight' is int64, and must be floating-point numbers",
        ),
        (
            {"head.1.bias": np.full(15, np.nan, np.float32)},
            "the tensor 'head.1.bias' has numbers that are not finite",
        ),
        (
            {"rnn.0.weight_ih_l0_reverse": np.zeros((16, 5), np.float32)},
            "nothing in the spec takes 'rnn.0.weight_ih_l0_reverse'",
        ),
        (
            {"rnn.weight_hh_l1": np.zeros((9, 3), np.float32)},
            "the tensors 'rnn.1.weight_hh_l0' and 'rnn.weight_hh_l1' would both be 'rnn.weight_hh_l1'",
        ),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(
    change: dict[str, np.ndarray | None], said: str
) -> None:
    model = network(EVERYTHING)
    tensors = {**to_torch(model), **change}
    with pytest.raises(DataError) as caught:
        from_torch(model, {name: a for name, a in tensors.items() if a is not None})
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('"gru-reset-before"', "PyTorch's GRU resets after the product, as the cell gru does"),
        ('"peephole-lstm"', "PyTorch's LSTM has no peepholes"),
        ('{ use = "vanilla", activation = "sigmoid" }', "PyTorch's nn.RNN has only tanh and relu"),
    ],
)
def test_a_cell_that_pytorch_has_not_is_named(cell: str, said: str) -> None:
    model = network(f"[[model.rnn]]\nhidden = 3\ncell = {cell}\n")
    with pytest.raises(DataError, match=r"^model\.rnn\[0\]\.cell is ") as caught:
        to_torch(model)
    assert said in str(caught.value)


def test_a_layer_that_pytorch_has_not_is_named() -> None:
    text = '[model]\nimage = [{ use = "regions", count = 2 }, "affine"]\n'
    model = network(
        text.replace("count = 2", "count = 2, units = 3")
        + '[[model.rnn]]\nhidden = 3\ncell = "gru"\n'
    )
    with pytest.raises(DataError, match=r"^image\.0 is regions, and of layers with parameters"):
        to_torch(model)


@pytest.fixture
def exported(spec: Path, tiny_data: Path, tmp_path: Path) -> tuple[rnnkit.Captioner, Path]:
    """A network over scenes, and its weights in PyTorch's layout."""
    model = rnnkit.build(spec, tiny_data)
    rnnkit.save(model, tmp_path / "model.h5")
    ran = CliRunner().invoke(app, ["export", f"{tmp_path}/model.h5", f"{tmp_path}/w.safetensors"])
    assert ran.exit_code == 0, ran.output
    assert ran.output == f"wrote {tmp_path}/w.safetensors\n"
    return model, tmp_path / "w.safetensors"


def test_commands_bring_weights_out_and_into_a_model_that_captions_photos(
    exported: tuple[rnnkit.Captioner, Path], spec: Path, tiny_data: Path
) -> None:
    model, file = exported
    importing = ["import", str(file), str(spec), "--data", str(tiny_data)]
    ran = CliRunner().invoke(app, importing)
    assert ran.exit_code == 0, ran.output
    back = rnnkit.load(file.with_suffix(".h5"))
    assert back.vocabulary == model.vocabulary
    for name, w in model.parameters.items():
        np.testing.assert_array_equal(back.parameters[name], w)
    photo = tiny_data / "images" / "val" / "00000.png"
    assert len(back.caption_photos([photo])) == 1
    again = CliRunner().invoke(app, importing)
    assert "exists, and is not overwritten" in str(again.exception)
    assert CliRunner().invoke(app, [*importing, "--force"]).exit_code == 0
    onto = CliRunner().invoke(app, [*importing, "--force", "--out", str(spec)])
    assert "is an input" in str(onto.exception)


def test_weights_for_other_words_are_refused(
    exported: tuple[rnnkit.Captioner, Path], tmp_path: Path
) -> None:
    model, file = exported
    words = [*model.vocabulary.words[:-2], *model.vocabulary.words[:-3:-1]]
    save_file(to_torch(model), file, {"words": json.dumps(words)})
    with pytest.raises(DataError, match="is for other words than those of the data"):
        read_torch(model, file)


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    model = network(EVERYTHING)
    pickled = tmp_path / "model.pt"
    pickled.write_bytes(b"PK\x03\x04 and so on, as torch.save writes it")
    with pytest.raises(DataError, match=r"safetensors\.torch\.save_file"):
        read_torch(model, pickled)
    with pytest.raises(DataError, match="does not exist"):
        read_torch(model, tmp_path / "nowhere.safetensors")
    with pytest.raises(DataError, match="is a folder, where a file must be"):
        read_torch(model, tmp_path)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((RECORDED / "lstm.safetensors").read_bytes()[:-4])
    with pytest.raises(DataError, match="is not a safetensors file"):
        read_torch(model, cut)


def test_a_type_that_numpy_has_not_is_told(tmp_path: Path) -> None:
    header = b'{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    file = tmp_path / "half.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(DataError, match="convert them to float32"):
        read_torch(network(EVERYTHING), file)
