"""Unified diffs: which lines they add, to which file, and what fits into a budget."""

from __future__ import annotations

import pytest

from codesherpa.analysis.diff import cut
from codesherpa.analysis.sources import Source, read

GIT = """diff --git a/shop/cart.py b/shop/cart.py
index 83db48f..bf2a4c1 100644
--- a/shop/cart.py
+++ b/shop/cart.py
@@ -10,4 +10,5 @@ class Cart:
     def total(self):
-        return sum(self.prices)
+        total = sum(self.prices)
+        return total
 # Empties it.
     def clear(self):
@@ -40 +41,2 @@ def main():
 cart = Cart()
+cart.clear()
"""


def sources(diff: str) -> list[Source]:
    return list(read("review", diff).sources)


def test_lines_have_the_numbers_of_the_new_file():
    (source,) = sources(GIT)

    assert source.file == "shop/cart.py"
    assert source.language == "python"
    assert source.lines[11] == "        total = sum(self.prices)"
    assert source.lines[42] == "cart.clear()"
    assert source.added == {11, 12, 42}
    assert 9 not in source.lines


@pytest.mark.parametrize("wrap", ["{}", "Please review:\n\n{}", "```diff\n{}```", "Look:\n\n```\n{}```\n\nThanks"])
def test_a_diff_is_found_wherever_it_stands(wrap: str):
    for reading in (read(wrap.format(GIT)), read("review", wrap.format(GIT))):
        (source,) = reading.sources
        assert (source.file, source.added) == ("shop/cart.py", {11, 12, 42})


def test_the_words_around_a_raw_diff_are_the_question():
    assert read(f"Please review\n\n{GIT}\nThank you").question == "Please review\n\nThank you"


def test_carriage_returns_are_no_part_of_the_lines():
    (source,) = sources(GIT.replace("\n", "\r\n"))

    assert source.lines[12] == "        return total"
    assert source.added == {11, 12, 42}


def test_a_plain_diff_has_names_without_time_stamps():
    (source,) = sources("--- old.py\t2024-01-01 10:00\n+++ new.py\t2024-01-02\n@@ -1 +1 @@\n-x\n+y\n")

    assert (source.file, source.lines, source.added) == ("new.py", {1: "y"}, {1})


def test_a_directory_called_b_is_no_prefix():
    (source,) = sources("--- b/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x\n+y\n")

    assert source.file == "b/x.py"


def test_several_files_of_all_kinds():
    diff = """diff --git a/new.py b/new.py
new file mode 100644
index 0000000..1234567
--- /dev/null
+++ b/new.py
@@ -0,0 +1,2 @@
+import os
+print(os.name)
diff --git a/gone.py b/gone.py
deleted file mode 100644
--- a/gone.py
+++ /dev/null
@@ -1,2 +0,0 @@
-import os
-print(os.name)
diff --git a/b/old name.py b/b/new name.py
similarity index 100%
rename from b/old name.py
rename to b/new name.py
diff --git a/moved.py b/lib/moved.py
similarity index 90%
rename from moved.py
rename to lib/moved.py
--- a/moved.py
+++ b/lib/moved.py
@@ -1,2 +1,2 @@
 x = 1
-y = 2
+y = 3
diff --git a/logo.png b/logo.png
index 1234567..89abcde 100644
Binary files a/logo.png and b/logo.png differ
diff --git a/run.sh b/run.sh
old mode 100644
new mode 100755
"""

    found = {source.file: source for source in sources(diff)}

    assert list(found) == ["new.py", "gone.py", "b/new name.py", "lib/moved.py", "logo.png", "run.sh"]
    assert found["new.py"].added == {1, 2}
    assert found["new.py"].whole
    assert not found["gone.py"].lines
    assert not found["b/new name.py"].lines
    assert found["lib/moved.py"].added == {2}
    assert not found["lib/moved.py"].whole
    assert not found["logo.png"].lines


def test_a_binary_patch_is_passed_over():
    patch = "GIT binary patch\nliteral 12\nTcmZQzU|?i`U|?WiVqjohU\n\nliteral 0\nHcmV?d00001\n\n"
    diff = f"diff --git a/i.png b/i.png\n{patch}{GIT}"

    assert [source.file for source in sources(diff)] == ["i.png", "shop/cart.py"]


def test_quoted_names_are_read():
    (source,) = sources('--- "a/na\\303\\257ve \\"x\\".py"\n+++ "b/na\\303\\257ve \\"x\\".py"\n@@ -1 +1 @@\n-x\n+y\n')

    assert source.file == 'naïve "x".py'


def test_a_missing_last_line_end_is_no_line():
    (source,) = sources(
        "--- a/x.py\n+++ b/x.py\n@@ -1 +1,2 @@\n"
        "-x\n\\ No newline at end of file\n+x\n+y\n\\ No newline at end of file\n"
    )

    assert source.lines == {1: "x", 2: "y"}


def test_deleted_and_added_lines_that_look_like_headers_are_content():
    (source,) = sources("--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1,2 @@\n--- a comment\n+++ another\n x\n")

    assert source.lines == {1: "++ another", 2: "x"}


@pytest.mark.parametrize("counts", ["-1,2 +1,9", "-1 +1"])
def test_wrong_counts_do_not_lose_lines_or_files(counts: str):
    diff = f"--- a/x.py\n+++ b/x.py\n@@ {counts} @@\n a\n+b\n+c\n--- a/y.py\n+++ b/y.py\n@@ -1 +1 @@\n-x\n+y\n"

    found = {source.file: source for source in sources(diff)}

    assert found["x.py"].added == {2, 3}
    assert found["y.py"].added == {1}


def test_empty_context_lines_may_have_lost_their_space():
    (source,) = sources("--- a/x.py\n+++ b/x.py\n@@ -1,3 +1,4 @@\n a\n\n+b\n c\n")

    assert source.lines == {1: "a", 2: "", 3: "b", 4: "c"}


def test_a_hunk_without_a_header_has_the_name_of_where_it_stands():
    (source,) = read("review\n@@ -10,2 +10,2 @@\n-x\n+y = eval(x)\n z\nok?").sources

    assert (source.file, source.lines, source.added) == ("message", {10: "y = eval(x)", 11: "z"}, {10})


def test_a_block_of_plus_and_minus_lines_counts_from_one():
    (source,) = read("```diff\n-x = 1\n+x = 2\n y = x\n```").sources

    assert (source.lines, source.added) == ({1: "x = 2", 2: "y = x"}, {1})


def test_a_fence_in_the_new_file_does_not_end_the_diff():
    diff = "--- a/R.md\n+++ b/R.md\n@@ -1,3 +1,4 @@\n ```python\n+import os\n x = 1\n ```\n"

    for text in (diff, f"```diff\n{diff}```"):
        (source,) = sources(text)
        assert source.lines == {1: "```python", 2: "import os", 3: "x = 1", 4: "```"}


def test_a_file_that_holds_a_diff_in_a_string_is_a_file():
    (source,) = sources(f'DIFF = """\n{GIT}"""\nprint(DIFF)\n')

    assert (source.file, source.added) == ("code_context", None)


def test_numbers_beyond_reason_do_no_harm():
    (source,) = sources("--- a/x.py\n+++ b/x.py\n@@ -999999999 +999999999 @@\n-x\n+y\n")

    assert source.lines == {999999999: "y"}


def file_diff(name: str, hunks: int, size: int = 5) -> str:
    rows = "".join(f"@@ -{n * 100} +{n * 100},{size} @@\n" + f"+line {n}\n" * size for n in range(1, hunks + 1))
    return f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n{rows}"


def test_what_fits_is_not_cut():
    assert cut(GIT, len(GIT)) == (GIT, ())


def test_cutting_keeps_whole_hunks_within_the_budget():
    diff = file_diff("a.py", 3) + file_diff("b.py", 2)

    kept, left_out = cut(diff, 200)

    assert len(kept) <= 200
    assert [(source.file, len(source.added or ())) for source in sources(kept)] == [("a.py", 10)]
    assert left_out[0] == ("a.py", "300-304")
    assert [out.file for out in left_out] == ["a.py", "b.py", "b.py"]


def test_kept_and_left_out_are_all_there_is():
    diff = file_diff("a.py", 6) + file_diff("b.py", 5)

    kept, left_out = cut(diff, 500)

    assert sum(len(source.added or ()) for source in sources(kept)) // 5 + len(left_out) == 11


def test_generated_files_go_first():
    kept, left_out = cut(file_diff("package-lock.json", 2) + file_diff("app.py", 2), 260)

    assert [source.file for source in sources(kept)] == ["app.py"]
    assert {out.file for out in left_out} == {"package-lock.json"}


def test_a_hunk_larger_than_the_budget_makes_room_for_the_next():
    diff = file_diff("big.py", 1, size=100) + file_diff("small.py", 1)

    kept, left_out = cut(diff, 300)

    assert [source.file for source in sources(kept)] == ["small.py"]
    assert left_out == (("big.py", "100-199"),)


def test_words_around_a_diff_stay():
    kept, _ = cut("Please look.\n\n" + file_diff("a.py", 9) + "\nThanks.\n", 300)

    assert kept.startswith("Please look.")
    assert kept.endswith("Thanks.")
