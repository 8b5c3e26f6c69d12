"""Writes a captioner as a graph of ONNX: traced, with the search for words inside of it."""
