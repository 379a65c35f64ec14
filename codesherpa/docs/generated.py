"""The files that are made from the schemas and the settings; `make types` writes them."""

from __future__ import annotations

from pathlib import Path

import yaml

from codesherpa.docs import asyncapi, settings, typescript

FOLDER = Path(__file__).parents[2] / "docs"
HEAD = "# Made by `make types` from the server's own schemas: do not edit.\n"


def files() -> dict[Path, str]:
    """Return what each file has to hold."""
    document = yaml.dump(asyncapi.document(), Dumper=Plain, sort_keys=False, allow_unicode=True, width=120)
    return {
        FOLDER / "asyncapi.yaml": HEAD + document,
        FOLDER / "codesherpa.d.ts": typescript.declarations(),
        FOLDER / "settings.md": settings.page(),
        FOLDER.parent / ".env.example": settings.example(),
    }


class Plain(yaml.SafeDumper):
    """Writes a value twice where it occurs twice: readers of the document know no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
