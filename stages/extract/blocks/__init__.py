"""Which blocks of a page are its main text: a learned rule over one linear pass, which the backend `cascade` asks first."""
