"""Downloads public data sets, checks them and unpacks them."""
