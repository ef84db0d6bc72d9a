"""What each task asks of fine-tuning and of judging; a file a task."""
