"""Offers the interfaces of other packages, so that code written for them runs on rnnkit."""
