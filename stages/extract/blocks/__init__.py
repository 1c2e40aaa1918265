"""Which blocks of a page are its main text: a learned rule over one linear pass, asked first by `cascade`."""
