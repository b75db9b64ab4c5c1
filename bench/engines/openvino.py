"""OpenVINO in float32: converted from torch or from ONNX, with its hint for latency or for throughput, whichever is
fastest."""

import openvino

from engines.exported import INPUTS, Exported, Pooled, example, onnx_file


def from_torch(folder):
    """With torch's own attention, which OpenVINO knows as one operation."""
    model = openvino.convert_model(Pooled(folder, "sdpa").eval(), example_input=example())
    for port, name in zip(model.inputs, INPUTS, strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_partial_shape(openvino.PartialShape([-1, -1]))
    model.validate_nodes_and_infer_types()
    return model


class Engine(Exported):
    def candidates(self, folder):
        core, out = openvino.Core(), {}
        for source, model in (("torch", from_torch(folder)), ("ONNX", core.read_model(onnx_file(folder)))):
            for hint in ("LATENCY", "THROUGHPUT"):
                out[f"from {source}, {hint}"] = core.compile_model(
                    model,
                    "CPU",
                    {
                        "INFERENCE_PRECISION_HINT": "f32",
                        "PERFORMANCE_HINT": hint,
                        "INFERENCE_NUM_THREADS": self.threads,
                    },
                )
        return out

    def run(self, network, batches):
        """As many batches at a time as the hint asks for."""
        out = {}
        queue = openvino.AsyncInferQueue(network)
        queue.set_callback(lambda request, i: out.__setitem__(i, request.get_output_tensor(0).data.copy()))
        for i, batch in enumerate(batches):
            queue.start_async(dict(zip(INPUTS, batch, strict=True)), i)
        queue.wait_all()
        return [out[i] for i in range(len(out))]
