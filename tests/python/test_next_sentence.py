"""Next-sentence prediction against transformers."""

import os
import shutil

import numpy as np
import pytest
import torch
import transformers
from conftest import make_sentences

from bertr import bridge
from bertr.errors import BertrError

SENTENCES = make_sentences()[0]
PAIRS = (
    ["The cat runs.", "a dog", "sun", "red bird " * 20, *(SENTENCES * 4)[:196]],
    ["It sleeps.", "a dog", "The old tree and the dog", "sun", *(SENTENCES[::-1] * 4)[5:201]],
)


def theirs(folder, kind):
    """The probability that the second text follows, float64 [pairs]; tests of the tokenizers compare the tokens."""
    tokens = bridge.tokenize(bridge.load(folder, {}), *PAIRS, 40)
    ids, segments, mask = (torch.tensor(tokens[name]).long() for name in ("token_ids", "segment_ids", "mask"))
    with torch.no_grad():
        out = kind.from_pretrained(folder).eval()(ids, attention_mask=mask, token_type_ids=segments)
    return torch.softmax((out.logits if "logits" in out else out.sop_logits).double(), 1)[:, 0].numpy()


def ours(model):
    return bridge.next_sentence(model, *PAIRS, {"max_len": 40}, None)


def test_next_sentences_are_those_of_transformers(pretrained, tmp_path):
    expected = theirs(pretrained[1], transformers.BertForNextSentencePrediction)
    assert np.ptp(expected) > 0.1  # else it would show little
    found = ours(bridge.load(pretrained[1], {}))
    np.testing.assert_allclose(found["probability"], expected, atol=1e-5)
    assert len(expected) == 200 and found["max_len"] == 40
    counts = bridge.count_tokens(bridge.load(pretrained[1], {}), *PAIRS)
    assert found["n_truncated"] == (counts > 40).sum() > 1
    # a checkpoint of this head alone
    alone = transformers.BertForNextSentencePrediction.from_pretrained(pretrained[1])
    alone.save_pretrained(tmp_path)
    shutil.copy(os.path.join(pretrained[1], "vocab.txt"), tmp_path)
    np.testing.assert_allclose(ours(bridge.load(str(tmp_path), {}))["probability"], expected, atol=1e-5)


def test_the_order_of_sentences_is_that_of_albert(albert):
    expected = theirs(albert, transformers.AlbertForPreTraining)
    np.testing.assert_allclose(ours(bridge.load(albert, {}))["probability"], expected, atol=1e-5)


def test_a_model_without_the_head_says_so(model):
    with pytest.raises(BertrError, match="has no next-sentence head") as error:
        ours(model)
    assert error.value.code == "no_nsp"
