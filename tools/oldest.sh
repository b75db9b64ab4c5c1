#!/bin/bash
# Runs the Python tests, or those given, with the oldest TensorFlow and Keras that DESCRIPTION promises, in .venv-oldest;
# everything else comes from .venv. Needs Python 3.10 to 3.12, the only versions which that TensorFlow supports.
set -euo pipefail
cd "$(dirname "$0")/.."

oldest() { tr '\n' ' ' <DESCRIPTION | sed -E "s/.*$1 +\\(>= ([0-9.]+)\\).*/\\1/"; }

versions=("tensorflow-cpu==$(oldest TensorFlow).*" "keras==$(oldest Keras).*")
if [ "$(cat .venv-oldest/.done 2>/dev/null)" != "${versions[*]}" ]; then
  rm -rf .venv-oldest
  .venv/bin/python -m venv .venv-oldest
  # a JAX of the same time: newer ones need packages that conflict with this TensorFlow
  .venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check "${versions[@]}" "numpy<2" "jax==0.4.30" \
    "jaxlib==0.4.30"
  .venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$(
    .venv-oldest/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/zz-others.pth"
  echo "${versions[*]}" >.venv-oldest/.done
fi
# What is left out: tests whose tools (SentencePiece files in transformers, Spark Connect) need a newer protobuf than
# this TensorFlow; bert_keras(), which needs Keras 3.7; and with this JAX several processes on a CPU, dropout that is the
# same on any number of devices, and exact sums in float16
PYTHONPATH=inst/python .venv-oldest/bin/python -m pytest -q -p no:cacheprovider \
  --ignore=tests/python/test_sentence_pieces.py --ignore=tests/python/test_unigram.py \
  --ignore=tests/python/test_unigram_folders.py \
  --ignore=tests/python/test_keras_model.py \
  --deselect=tests/python/test_albert.py::test_what_is_written_opens_in_transformers \
  --deselect=tests/python/test_albert.py::test_tokenizer_settings \
  --deselect="tests/python/test_family_heads.py::test_texts_are_scored_as_by_the_pipeline[xlm-roberta]" \
  --deselect="tests/python/test_family_heads.py::test_texts_are_scored_as_by_the_pipeline[camembert]" \
  --deselect=tests/python/test_scoring_spark.py::test_spark_connect \
  --deselect=tests/python/test_jax_tasks.py::test_two_processes_give_the_losses_of_one \
  --deselect=tests/python/test_devices.py::test_two_processes_give_the_losses_of_one \
  --deselect="tests/python/test_devices.py::test_four_devices_give_the_losses_of_one[given1-sizes1]" \
  --deselect="tests/python/test_out_of_memory.py::test_a_fit_gives_the_same_numbers_in_smaller_parts[jax-more3-4-3-4]" \
  "${@:-tests/python}"
