"""Emulates AWS's built-in image classification algorithm (MXNet), for training and for inference.

Channels, hyperparameters, log lines and responses are AWS's; PyTorch trains the network.
https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html
"""
