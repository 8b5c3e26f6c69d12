"""Files of functions, as students write them: pairs found by name, their arguments made, each pair checked and explained."""
