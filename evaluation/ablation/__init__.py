"""What each part is worth: the same system trained on fewer raters, read from fewer references, without a part."""
