"""The network itself: recurrent layers over time, chains, the captioner they make, how it is built, and its file."""
