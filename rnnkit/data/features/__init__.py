"""The features of images: held in memory, or read from one file or many as they are wanted."""
