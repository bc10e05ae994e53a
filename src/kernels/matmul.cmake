# quantised and float matrix products
