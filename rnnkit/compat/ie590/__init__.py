"""The interface of the assignment "Image Captioning with RNNs" (`ie590`, after CS231n), over rnnkit's plugins.

A notebook written against the assignment's package runs once its imports begin with `rnnkit.compat.ie590`: the
names, arguments, defaults, side effects and what is printed are the assignment's, the work is done by plugins.
"""
