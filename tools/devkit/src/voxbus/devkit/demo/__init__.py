"""The demo: one real call, measured from both ends, and the page that shows it."""
