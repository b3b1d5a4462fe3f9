"""The demo: real calls, in and out, measured from both ends, and the pages that show them."""
