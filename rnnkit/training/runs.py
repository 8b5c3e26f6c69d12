"""Finds runs, and tells what came of each from its small files, without reading any model."""

from __future__ import annotations
