"""What a backup is: entries, trees, file contents, snapshots, and the repository that holds them."""
