"""The versions that DESCRIPTION promises are what is installed and tested."""

import pathlib
import re
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).parents[2]


def promised(name):
    text = " ".join((ROOT / "DESCRIPTION").read_text(encoding="utf-8").split())
    return number(re.search(rf"{name} \(>= ([\d.]+)\)", text)[1])


def number(text):
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


@pytest.mark.parametrize(
    "package, name", [("tensorflow-cpu", "TensorFlow"), ("tensorflow", "TensorFlow"), ("keras", "Keras")]
)
def test_what_is_installed_for_development_is_new_enough(package, name):
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (pinned,) = (line for line in lines if re.match(rf"{package}==", line))
    assert number(pinned.partition("==")[2]) >= promised(name)


def test_these_are_no_older_ones():
    import tensorflow as tf

    assert number(tf.__version__) >= promised("TensorFlow") and number(keras.__version__) >= promised("Keras")
    assert sys.version_info[:2] >= promised("Python")
