"""Proof that both services answer as botocore's models of them say."""
