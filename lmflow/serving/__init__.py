"""The champions over HTTP, with a page to try them. Follows the alias: a promotion is served without a restart."""
