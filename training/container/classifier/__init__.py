"""The vehicle classifier inside SageMaker's containers: training, ONNX export and serving."""
