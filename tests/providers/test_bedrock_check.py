import pytest

from codesherpa.providers.bedrock import BedrockProvider, check, credentials
from tests.standins import bedrock

SONNET = "global.anthropic.claude-sonnet-4-6"


@pytest.fixture(scope="module")
def server():
    with bedrock.running() as standin:
        yield standin


@pytest.fixture
def standin(server, monkeypatch):
    server.reset()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def provider(standin):
    made = BedrockProvider("us-east-1", SONNET, read_timeout=0.3, attempts=1)
    yield made
    made.close()


def test_what_works_is_said_step_by_step_after_one_small_call(provider, standin):
    steps = list(check(provider))

    assert [(step.name, step.ok) for step in steps] == [
        ("credentials", True),
        ("region", True),
        ("model", True),
        ("streaming", True),
        ("tool use", True),
    ]
    assert all(step.finding and not step.mend for step in steps)
    (request,) = standin.requests()
    assert request["body"]["inferenceConfig"]["maxTokens"] <= 200


@pytest.mark.parametrize(
    ("reply", "name", "part"),
    [
        ({"fault": "ExpiredTokenException"}, "credentials", "aws sso login"),
        ({"fault": "UnrecognizedClientException"}, "credentials", "AWS_ACCESS_KEY_ID"),
        ({"fault": "InvalidSignatureException"}, "credentials", "clock"),
        ({"fault": "AccessDeniedException"}, "model", "Model access"),
        ({"fault": "ResourceNotFoundException"}, "model", "BEDROCK_MODEL_ID"),
        ({"fault": "ValidationException", "message": "The provided model identifier is invalid."}, "model", "profile"),
        ({"fault": "ThrottlingException"}, "model", "Service Quotas"),
        ({"fault": "ThrottlingException", "message": "Too many tokens per day"}, "model", "Service Quotas"),
        ({"fault": "ServiceUnavailableException"}, "model", "AWS Health"),
        ({"fault": "cut", "at": "headers"}, "region", "AWS_REGION"),
        ({"fault": "silence"}, "streaming", "BEDROCK_READ_TIMEOUT"),
        ({"tool": False}, "tool use", "Choose a model"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_fault_is_said_with_what_mends_it(provider, standin, reply, name, part):
    standin.script(reply)

    *before, last = check(provider)

    assert all(step.ok for step in before)
    assert (last.name, last.ok) == (name, False)
    assert part in last.mend


def test_missing_credentials_end_the_check(provider, standin, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    (step,) = check(provider)

    assert (step.name, step.ok) == ("credentials", False)
    assert "AWS_ACCESS_KEY_ID" in step.mend
    assert standin.requests() == []


def test_a_profile_that_is_not_there_is_named(provider, standin, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_PROFILE", "nobody")

    (step,) = check(provider)

    assert (step.name, step.ok) == ("credentials", False)
    assert "nobody" in step.finding
    assert "AWS_PROFILE" in step.mend
    assert standin.requests() == []


def test_credentials_are_found_where_boto3_finds_them(standin, monkeypatch):
    assert credentials() == "env"

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert credentials() is None

    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key")
    assert credentials() == "AWS_BEARER_TOKEN_BEDROCK"

    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert credentials() is None


def test_a_bearer_token_is_enough(monkeypatch, tmp_path):
    certificate = bedrock.certificate(tmp_path) or pytest.skip("no openssl to make a certificate with")

    with bedrock.running(certificate) as secure:
        for name, value in secure.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "key")
        provider = BedrockProvider("us-east-1", SONNET)
        steps = list(check(provider))
        provider.close()
        (request,) = secure.requests()

    assert all(step.ok for step in steps)
    assert request["headers"]["authorization"] == "Bearer key"
