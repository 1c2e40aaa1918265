"""How the learned rule is made again: from pages whose main text is known, the same bytes every time."""
