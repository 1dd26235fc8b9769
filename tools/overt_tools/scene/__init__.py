"""Demonstration footage: two real people, cut out of consented clips, walk through a drawn street, with ground truth.

The data flows one way: `clips` (what there is to cut from) -> `plan` (who walks where and when, pure data) ->
`faces` (where the face lies in each clip's frame) -> `matte`, `figure`, `backdrop` (pictures) -> `render` (frames and
what is visible in them) -> `video` and `truth` (the two files). `build` joins them; `command` is the command line.
"""
