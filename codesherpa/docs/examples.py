"""What a body looks like: the documents' pages show it, and send it when somebody tries a call."""

from __future__ import annotations

from typing import Any

PHRASE = "a phrase of my own"

# By the names of the schemas.
EXAMPLES: dict[str, dict[str, Any]] = {
    "Registration": {"name": "Ada", "email": "ada@example.com", "password": PHRASE},
    "Credentials": {"email": "ada@example.com", "password": PHRASE},
    "Profile": {"name": "Ada Lovelace", "language": "hinglish"},
    "Password": {"password": PHRASE},
    "PasswordChange": {"current_password": PHRASE, "new_password": "another phrase of mine"},
    "NewAgent": {"name": "Reviewer", "kind": "review", "system_prompt": "Be strict about SQL."},
    "AgentChanges": {"description": "Looks at our queries.", "status": "inactive"},
    "NewProject": {"name": "Shop", "instructions": "Python 3.11, tests with pytest.", "repository": "ada/shop"},
    "ProjectChanges": {"description": "Sells books."},
    "NewChat": {
        "message": "Please review this.",
        "code_context": "def add(item, items=[]):\n    items.append(item)\n    return items\n",
    },
    "ConversationChanges": {"title": "The shop's basket"},
}
