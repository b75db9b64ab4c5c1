"""ONNX Runtime: all graph optimisations, with and without its fusion of BERT's layers, whichever is faster."""

import json
import os

import onnxruntime
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

from engines.exported import INPUTS, Exported, onnx_file


def fused_file(folder):
    path = os.path.join(folder, "model_fused.onnx")
    if not os.path.exists(path):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        model = optimizer.optimize_model(
            onnx_file(folder, "eager"),
            "bert",
            num_heads=config["num_attention_heads"],
            opt_level=0,
            hidden_size=config["hidden_size"],
            optimization_options=FusionOptions("bert"),
        )
        model.save_model_to_file(path)
    return path


class Engine(Exported):
    def candidates(self, folder):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        files = {"sdpa": onnx_file(folder), "eager": onnx_file(folder, "eager"), "BERT fusion": fused_file(folder)}
        return {
            name: onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"]) for name, file in files.items()
        }

    def run(self, session, batches):
        return [session.run(None, dict(zip(INPUTS, batch, strict=True)))[0] for batch in batches]
