"""Stands in for AWS's built-in image classification (MXNet) in training and in hosting.

Its channels, hyperparameters, log lines and answers are AWS's; the network is trained by PyTorch.
https://docs.aws.amazon.com/sagemaker/latest/dg/image-classification.html
"""
