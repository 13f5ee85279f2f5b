"""Emulates AWS's built-in image classification algorithm (MXNet), for training and for inference.

Channels, hyperparameters, log lines and responses have AWS's formats. The network is trained with PyTorch, not MXNet.
https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html
"""
