"""Review of images by a person: selection, queue, answers, and the page and the CSV file that collect the answers."""
