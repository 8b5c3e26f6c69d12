"""Makes a data folder of your own captions and features."""
