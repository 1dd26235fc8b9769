"""Reports on equal treatment that people without statistics can read: one content, as HTML and on paper."""
