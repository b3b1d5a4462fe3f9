"""One file a subcommand of ``voxbus``; ``voxbus.devkit.cli`` says what each has."""
