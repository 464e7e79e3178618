"""The documentation: pages in Markdown, and what makes the generated one."""
