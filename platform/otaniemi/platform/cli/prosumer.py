"""placeholder until the service layer is wired"""

import typer


def register(app: typer.Typer) -> None: ...
