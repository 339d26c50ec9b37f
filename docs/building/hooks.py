"""What mkdocs asks while it builds the site: the pages that are made, the links between them, and the navigation."""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from site_links import ROOT, for_site
from site_pages import generated


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of a folder in place of its name, wherever the navigation ends an entry with a slash."""
    made = {page for page in generated() if page.endswith(".md")}
    written = {path.relative_to(config.docs_dir).as_posix() for path in Path(config.docs_dir).rglob("*.md")}
    config.nav = _expanded(config.nav, sorted(made | written))
    return config


def _expanded(entry: Any, pages: list[str]) -> Any:  # noqa: ANN401 - as YAML has it
    if isinstance(entry, list):
        return [_expanded(item, pages) for item in entry]
    if isinstance(entry, dict):
        return {name: _expanded(inner, pages) for name, inner in entry.items()}
    if not entry.endswith("/"):
        return entry
    inside = [page for page in pages if page.startswith(entry) and "/" not in page.removeprefix(entry)]
    return sorted(inside, key=lambda page: (not page.endswith("/index.md"), page))


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that are made."""
    for path, content in generated().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Let every link of a written page lead to where its file is on the site."""
    source = Path(page.file.abs_src_path or "")
    if page.file.generated_by or not source.is_relative_to(ROOT / "docs"):
        return markdown
    return for_site(markdown, source.relative_to(ROOT).as_posix(), page.file.src_uri)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Name the language of a Chinese page, by which a browser chooses its letters and a reader its voice."""
    return output.replace('<html lang="en"', '<html lang="zh-CN"', 1) if page.file.src_uri.startswith("zh/") else output


def on_page_content(html: str, **_: object) -> str:
    """Take the backslash from a bar within code, which a table of Markdown needs and GitHub hides."""
    return re.sub(r"<code>[^<]*</code>", lambda code: code[0].replace("\\|", "|"), html)
