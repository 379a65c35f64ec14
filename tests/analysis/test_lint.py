"""The review without a model: what is found, where, how bad it is, and what a person is told."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from codesherpa.analysis import ruff
from codesherpa.analysis.lint import Finding, lint, score, security_risk
from codesherpa.analysis.rules import RULES
from codesherpa.analysis.sources import Source, read

HEADER = "import hashlib, os, pickle, random, subprocess\nimport requests, yaml\nfrom datetime import date, datetime\n"


def review(code: str, file: str = "app.py") -> tuple[Finding, ...]:
    return lint(Source(file, dict(enumerate(code.split("\n"), 1)), "python"))


def review_diff(diff: str) -> tuple[Finding, ...]:
    return tuple(finding for source in read(diff).sources for finding in lint(source))


def at(findings: tuple[Finding, ...], line: int) -> list[Finding]:
    return [finding for finding in findings if finding.line == line]


@pytest.mark.parametrize(
    ("line", "severity", "word", "fix"),
    [
        ("eval(data)", "CRITICAL", "eval() of input", "ast.literal_eval(data)"),
        ("exec(data)", "CRITICAL", "exec()", None),
        ("subprocess.run('ls ' + data, shell=True, check=True)", "CRITICAL", "shell=True", None),
        ("subprocess.run('ls', shell=True, check=True)", "MEDIUM", "shell=True", None),
        ("os.system('ls ' + data)", "CRITICAL", "`os.system` starts a shell", None),
        ('data.execute("SELECT * FROM t WHERE a = " + data)', "CRITICAL", "SQL built by strings", None),
        ("data.execute(f\"SELECT * FROM t WHERE a = '{data}'\")", "CRITICAL", "SQL built by strings", None),
        ('password = "hunter22"', "HIGH", "Hardcoded secret in `password`", 'password = os.environ["PASSWORD"]'),
        ('login(password="hunter22")', "HIGH", "Hardcoded secret passed as `password`", None),
        ("pickle.loads(data)", "HIGH", "Unpickling", None),
        ("yaml.load(data)", "HIGH", "yaml.load()", "yaml.safe_load(data)"),
        ("yaml.load(data, Loader=yaml.Loader)", "HIGH", "yaml.load()", "yaml.safe_load(data)"),
        (
            "requests.get(data, timeout=3, verify=False)",
            "HIGH",
            "verify=False",
            "requests.get(data, timeout=3, verify=True)",
        ),
        ("requests.get(f(data))", "MEDIUM", "without a timeout", "requests.get(f(data), timeout=10)"),
        ("hashlib.md5(data)", "MEDIUM", "Weak hash `hashlib.md5`", "hashlib.sha256(data)"),
        ("assert data", "LOW", "assert", None),
        ("token = random.random()", "HIGH", "can be predicted", None),
        ("x = datetime.utcnow()", "MEDIUM", "Naive datetime", "x = datetime.now(tz=UTC)"),
        ("x = datetime.now()", "MEDIUM", "Naive datetime", "x = datetime.now(tz=UTC)"),
        ("x = datetime.today()", "MEDIUM", "Naive datetime", "x = datetime.now(tz=UTC)"),
        ("x = datetime.fromtimestamp(data)", "MEDIUM", "Naive datetime", "x = datetime.fromtimestamp(data, tz=UTC)"),
        ("x = datetime(2024, 1, 2)", "MEDIUM", "Naive datetime", "x = datetime(2024, 1, 2, tzinfo=UTC)"),
        ("x = date.today()", "LOW", "date.today()", None),
        ("if data == None: pass", "LOW", "None", "if data is None: pass"),
        ("if data is 'a': pass", "HIGH", "`is` compares identity", "if data == 'a': pass"),
        ("x = f'plain'", "LOW", "f-string without a placeholder", "x = 'plain'"),
        ("x = missing_name", "HIGH", "Undefined name `missing_name`", None),
        ("x = open(data)", "MEDIUM", "without `with`", None),
    ],
)
def test_a_fault_is_named_and_placed(line: str, severity: str, word: str, fix: str | None):
    findings = review(f"{HEADER}def f(data, login):\n    {line}\n    return 1")

    (found,) = [finding for finding in at(findings, 5) if word in finding.issue]
    assert found.severity == severity
    assert found.file == "app.py"
    assert found.suggestion
    assert found.code_fix == (None if fix is None else f"    {fix}")


def test_a_mutable_default_is_named_and_mended():
    (found,) = review('def f(x, items=[]):\n    """Add."""\n    items.append(x)\n    return items')

    assert (found.severity, found.line) == ("HIGH", 1)
    assert found.issue.startswith("Mutable default argument `items=[]`")
    assert found.code_fix == 'def f(x, items=None):\n    """Add."""\n    if items is None:\n        items = []'


def test_two_mutable_defaults_in_a_line_are_two_faults():
    issues = [finding.issue for finding in review("def f(a=[], b={}):\n    return a, b")]

    assert len(issues) == 2
    assert "`a=[]`" in issues[0]
    assert "`b={}`" in issues[1]


def test_what_several_rules_see_is_told_once():
    (found,) = review("def f(g):\n    try:\n        g()\n    except:\n        pass")

    assert (found.line, found.rule, found.code_fix) == (4, "E722", "    except Exception:")
    assert found.issue.startswith("Bare `except:`")


def test_findings_come_the_most_severe_first():
    severities = [
        finding.severity for finding in review(f"{HEADER}def f(a=[]):\n    assert a\n    eval(a)\n    datetime.now()")
    ]

    assert severities == sorted(severities, key=["CRITICAL", "HIGH", "MEDIUM", "LOW"].index)


def test_comments_do_not_silence_the_review():
    code = "# ruff: noqa\n# flake8: noqa\n# ruff: disable[S307]\ndef f(x):\n    return eval(x)  # noqa: S307  # nosec"

    assert [finding.rule for finding in review(code)] == ["S307"]


def test_clean_code_has_no_findings():
    assert (
        review('"""Add."""\n\n\ndef add(a: int, b: int) -> int:\n    """Return the sum."""\n    return a + b\n') == ()
    )


def test_asserts_belong_into_tests():
    assert review("def test_f(f):\n    assert f", file="tests/test_f.py") == ()


def test_a_name_that_speaks_of_secrets_is_no_secret():
    assert review('token_type = "bearer"\npassword_field = "pwd"') == ()


def test_an_undefined_name_is_told_once():
    (found,) = review("def f():\n    return x + x\n\n\ndef g():\n    return x")

    assert found.line == 2


def test_a_snippet_may_leave_its_imports_out():
    findings = review(
        "def f(cmd):\n    subprocess.call(cmd, shell=True)\n    return datetime.datetime.utcnow()", "message"
    )

    assert any(finding.rule == "S602" and finding.line == 2 for finding in findings)
    (naive,) = [finding for finding in findings if finding.rule == "DTZ003"]
    assert (naive.line, naive.code_fix) == (3, "    return datetime.datetime.now(tz=datetime.UTC)")
    assert all(finding.severity == "MEDIUM" for finding in findings if finding.rule == "F821")


def test_another_language_is_not_linted():
    assert lint(Source("a.js", {1: "eval(x)"}, "javascript")) == ()


# --- code that does not parse


def test_code_that_does_not_parse_says_where_and_is_still_reviewed():
    findings = review("def f(:\n    x = 1\n\n\ndef g(x):\n    return eval(x)")

    (fault,) = [finding for finding in findings if finding.rule == ruff.SYNTAX]
    assert (fault.severity, fault.line) == ("HIGH", 1)
    assert fault.issue == "The code does not parse: line 1, column 7: invalid syntax"
    assert any(finding.rule == "S307" and finding.line == 6 for finding in findings)
    assert not any(finding.rule == "F821" for finding in findings)


def test_an_open_bracket_is_placed_where_it_opens():
    (fault,) = review("x = (1,\n\n\n")

    assert (fault.line, fault.code_fix) == (1, None)
    assert "was never closed" in fault.issue


def test_newer_syntax_is_no_fault():
    assert [finding.rule for finding in review("def f[T](x: T) -> T:\n    return eval(f'{x['a']}')")] == ["S307"]


def test_a_method_alone_is_read_in_its_indentation():
    findings = review("    def f(self, a=[]):\n        return eval(a)\n\n    def g(self):\n        return 1", "message")

    assert [(finding.rule, finding.line) for finding in findings] == [("S307", 2), ("B006", 1)]


@pytest.mark.parametrize(
    "code",
    [
        "\0\0\0",
        "x = 1 \0 # type: [[[",
        "\x89PNG\r\n\x1a\n\x00\x00",
        "\udcff = '\ud800'",
        "\u2028" * 100,
        "x = '" + "a" * 150_000 + "'",
        "(" * 5_000,
        "-" * 50_000 + "1",
        "x" + ".y" * 50_000,
        "if x:\n" * 5_000,
        "'''\n" * 5_001,
        "\ufeffx = 1",
        "",
    ],
)
def test_odd_text_gives_findings_and_no_crash(code: str):
    for finding in review(code):
        assert finding.line >= 1
        assert finding.issue


# --- diffs


def hunk(start: int, *lines: str) -> str:
    shown = [line for line in lines if not line.startswith("-")]
    return f"--- a/app.py\n+++ b/app.py\n@@ -{start},9 +{start},{len(shown)} @@\n" + "\n".join(lines) + "\n"


def test_only_added_lines_count_in_a_diff():
    findings = review_diff(hunk(10, " eval(a)", "-eval(b)", "+eval(c)", " eval(d)"))

    assert [(finding.rule, finding.line) for finding in findings] == [("S307", 11)]


def test_what_only_the_whole_file_shows_is_not_said_of_a_hunk():
    assert review_diff(hunk(10, "+import os", "+x = helper(y)", "+def f():", "+    return z")) == ()


def test_a_new_file_is_a_whole_file():
    findings = review_diff("--- /dev/null\n+++ b/app.py\n@@ -0,0 +1,2 @@\n+import os\n+print(x)\n")

    assert [finding.rule for finding in findings] == ["F821", "F401"]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["         x = 1", "+        return eval(x)", "     def g(self):", "         pass", " y = 1"], 11),
        (["     b=2,", " )", "+eval(x)"], 12),
        (["     b: int = 2,", "     c=None,", " ) -> int:", "+    return eval(b)"], 13),
        (["     Say it.", '     """', "+    return eval(x)"], 12),
        (["     except ValueError:", "+        eval(x)", "     finally:", "         pass", " z()"], 11),
        (["     else:", "+        eval(x)"], 11),
        (["         a()", "     except KeyError:", "+        eval(x)"], 12),
        (["         a()", "     elif b:", "+        eval(x)", "     else:", "         c()"], 12),
        (['     "a": 1,', '+    "b": eval(x),', " }"], 11),
        (["     for x in y:", "         try:", "+            eval(x)"], 12),
        (["+    eval(x)", "     if y:"], 10),
        (["+eval(x)", " @decorator"], 10),
        (["+eval(x)", " text = '''one", " two"], 10),
        (["+eval(x)", " f(a,", "   b,"], 10),
        (["+    yield eval(x)", "     await y", "     return z", "     break"], 10),
        ([" \t\tx()", "+\t\teval(x)", " \ty()"], 11),
    ],
)
def test_a_hunk_is_read_wherever_it_is_torn_out(lines: list[str], line: int):
    (found,) = [finding for finding in review_diff(hunk(10, *lines)) if finding.rule == "S307"]

    assert found.line == line


def test_a_header_that_goes_on_below_the_hunk_is_read():
    (found,) = review_diff(hunk(10, "+def f(", "+    a=[],"))

    assert (found.rule, found.line) == ("B006", 11)


def test_a_block_that_goes_on_below_the_hunk_is_not_judged():
    loop = ["+for item in items:", "+    count()"]

    assert review_diff(hunk(10, *loop)) == ()
    assert [finding.rule for finding in review_diff(hunk(10, *loop, " done()"))] == ["B007"]


def test_a_hunk_finds_what_needs_an_import_that_it_does_not_show():
    lines = ["+now = datetime.utcnow()", "+subprocess.run(cmd, shell=True, check=True)", "+requests.get(url)"]

    found = {(finding.rule, finding.line) for finding in review_diff(hunk(10, *lines))}

    assert {("DTZ003", 10), ("S602", 11), ("S113", 12)} <= found


def test_a_fault_that_begins_on_an_old_line_counts_where_it_is_added():
    findings = review_diff(hunk(10, " try:", "     f()", "+except:", "+    pass"))

    assert [(finding.rule, finding.line) for finding in findings] == [("E722", 12)]


def test_an_except_whose_try_is_above_the_hunk_is_read():
    findings = review_diff(hunk(10, "         a()", "+    except:", "         b()"))

    assert [(finding.rule, finding.line) for finding in findings] == [("E722", 11)]


def test_two_stretches_of_a_file_do_not_mix():
    first = "@@ -10 +10,2 @@\n     if a:\n+        eval(b)\n"
    second = "@@ -90 +91,2 @@\n         c()\n+        eval(d)\n"
    diff = f"--- a/x.py\n+++ b/x.py\n{first}{second}"

    assert [finding.line for finding in review_diff(diff)] == [11, 92]


def test_an_added_line_that_cannot_parse_is_told():
    findings = review_diff(hunk(10, " x = 1", "+def f() return 1", "+eval(x)"))

    assert [(finding.rule, finding.line) for finding in findings] == [("S307", 12), (ruff.SYNTAX, 11)]


def test_a_torn_line_is_not_called_a_syntax_error():
    assert review_diff(hunk(10, "+  weird) and [", "+      ]} strange")) == ()
    assert review_diff(hunk(10, " x = 1", "+total = a + b]", " y = 2")) == ()


def test_words_of_a_docstring_are_not_called_a_syntax_error():
    assert review_diff(hunk(10, "     Say it.", "+    If it is not given, the default is used:", "+    Args:")) == ()
    assert review_diff(hunk(10, "+    The default is used")) == ()


# --- the numbers


def finding(severity: str, rule: str = "F401") -> Finding:
    return Finding(severity, "a.py", 1, "issue", "suggestion", None, rule)  # type: ignore[arg-type]


def test_the_score_falls_with_the_findings():
    assert score([]) == 10
    assert score([finding("LOW")]) == 9
    assert score([finding("LOW")] * 4) == 9
    assert score([finding("MEDIUM")]) == 9
    assert score([finding("HIGH")]) == 8
    assert score([finding("CRITICAL")]) == 7
    assert score([finding("CRITICAL")] * 99) == 1


def test_only_security_faults_make_a_security_risk():
    assert security_risk([]) == "None"
    assert security_risk([finding("HIGH", "B006"), finding("HIGH", ruff.SYNTAX)]) == "None"
    assert security_risk([finding("MEDIUM", "S324")]) == "Low"
    assert security_risk([finding("MEDIUM", "S324"), finding("CRITICAL", "S307")]) == "High"


# --- ruff itself


def test_every_rule_is_one_that_ruff_knows():
    assert ruff.check("x = 1\n", RULES) == []


def test_every_rule_says_a_whole_sentence():
    words = {"code": "f()", "name": "f", "argument": "a", "message": "m"}

    for rule in RULES.values():
        assert rule.issue.format_map(words).strip()
        assert rule.calm_issue.format_map(words) is not None
        assert rule.suggestion.format_map(words).endswith((".", "`"))


def test_a_missing_ruff_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ruff", None)

    with pytest.raises(ruff.RuffMissing, match="ruff, which is not installed"):
        review("x = 1")


def stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path, script: str) -> None:
    program = tmp_path / "ruff"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(ruff, "find", lambda: str(program))


def test_a_ruff_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path):
    stand_in(monkeypatch, tmp_path, "exec /bin/sleep 30")

    with pytest.raises(ruff.RuffTimeout, match="too long"):
        lint(Source("a.py", {1: "x = 1"}, "python"), timeout=0.2)


@pytest.mark.parametrize("script", ["exit 2", "kill -ABRT $$", "echo nonsense", "echo '{}'", "echo '[]'"])
def test_a_ruff_that_breaks_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path, script: str):
    stand_in(monkeypatch, tmp_path, script)

    with pytest.raises(ruff.RuffCrashed):
        review("x = 1")


def test_a_ruff_that_cannot_be_started_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ruff, "find", lambda: "/nowhere/ruff")

    with pytest.raises(ruff.RuffMissing):
        review("x = 1")


def test_the_servers_environment_stays_with_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path):
    stand_in(monkeypatch, tmp_path, f"/usr/bin/env > {tmp_path}/seen")
    monkeypatch.setenv("SECRET_KEY", "do not tell")

    review("x = 1")

    assert "do not tell" not in (tmp_path / "seen").read_text()


def test_the_hub_goes_on_while_ruff_runs(tmp_path):
    """In a process of its own: eventlet patches everything."""
    program = tmp_path / "ruff"
    program.write_text("#!/bin/sh\n/bin/sleep 0.5\n")
    program.chmod(0o755)
    script = f"""
        import eventlet
        eventlet.monkey_patch()
        import time
        from codesherpa.analysis import lint, ruff
        from codesherpa.analysis.sources import Source
        ruff.find = lambda: {str(program)!r}
        ticks = []
        def tick():
            while True:
                ticks.append(time.monotonic())
                eventlet.sleep(0.01)
        eventlet.spawn(tick)
        lint.lint(Source("a.py", {{1: "x = 1"}}, "python"))
        print(len(ticks) > 5)
    """

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )

    assert done.stdout.split() == ["True"], done.stderr


def test_a_ruff_that_hangs_is_ended_on_the_hub_too(tmp_path):
    program = tmp_path / "ruff"
    program.write_text("#!/bin/sh\nexec /bin/sleep 30\n")
    program.chmod(0o755)
    script = f"""
        import eventlet
        eventlet.monkey_patch()
        from codesherpa.analysis import lint, ruff
        from codesherpa.analysis.sources import Source
        ruff.find = lambda: {str(program)!r}
        try:
            lint.lint(Source("a.py", {{1: "x = 1"}}, "python"), timeout=0.2)
        except ruff.RuffTimeout as late:
            print(late)
    """

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )

    assert done.stdout == "The offline reviewer's linter took too long.\n", done.stderr


def test_the_review_says_nothing_about_a_module_that_it_only_supposed():
    assert [finding.rule for finding in review("os.getcwd()", "message")] == ["F821"]


def test_what_only_ruffs_parser_refuses_is_told_with_its_line():
    (first, *_) = review("def f():\n    nonlocal x\n    x = 1\n")

    assert (first.severity, first.line) == ("HIGH", 2)
    assert "nonlocal" in first.issue


@pytest.mark.parametrize("line", ["eval(data, scope)", "eval(*data)", "x = " + "a" * 5000 + "; eval(data)"])
def test_a_fix_that_cannot_be_told_safely_is_left_out(line: str):
    found = [one for one in at(review(f"data = scope = 1\n{line}"), 2) if "eval" in one.issue]

    assert [one.code_fix for one in found] == [None]
