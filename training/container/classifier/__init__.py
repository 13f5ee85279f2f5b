"""The vehicle classifier inside SageMaker's containers: training, ONNX export, serving and drift detection."""
