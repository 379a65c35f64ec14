"""Amazon Bedrock: the only package that knows boto3."""

from codesherpa.providers.bedrock.check import Step, check
from codesherpa.providers.bedrock.provider import BedrockProvider
from codesherpa.providers.bedrock.wire import credentials

__all__ = ["BedrockProvider", "Step", "check", "credentials"]
